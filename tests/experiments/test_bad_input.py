"""What a user can get wrong: one clear line, exit status 2, and nothing written over."""

import time
from operator import methodcaller
from pathlib import Path

import pytest
import torch

from datamodules.errors import UserError
from experiments.cli import COMMANDS, main
from experiments.config.class_paths import check_config_classes
from tests.experiments.tiny_task import write_tiny_task


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    return write_tiny_task(tmp_path, seed, train_size=40)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a wrong command is answered with."""
    status = main([str(argument) for argument in arguments])
    lines = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
    assert status == 2
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.init_args.test_search.init_args.beam_size", 0], "beam_size is 0: give at least 1"),
        (["--data.init_args.batch_size", 0], "data.init_args.batch_size is 0"),
        (["--trainer.devices", 0], "trainer: `Trainer(devices='0')` value is not a valid input using cpu accelerator"),
        (["--trainer.accelerator", "tpux"], "trainer: You selected an invalid accelerator name"),
        (["--experiment", "../up"], "--experiment '../up' is no name"),
        (["--experiment", ""], "--experiment '' is no name"),
        (
            ["--model.init_args.tied", "all", "--data.init_args.target_tokenizer.init_args.max_vocabulary_size", 6],
            "tied is",
        ),
        (
            ["--ckpt_path", "bst"],
            "--ckpt_path bst: there is no such file; did you mean 'best'? known: averaged, best, last",
        ),
        (["--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        (["--ckpt_path", "best"], "experiment 'tiny' has no checkpoint in"),
        (["--init_from", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
    ],
)
def test_what_is_mistyped(
    arguments: list[object], message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in told(capsys, "fit", "--config", config, *arguments)
    assert not list(config.parent.glob("runs/tiny/*/checkpoints"))


def test_what_a_part_of_lightning_refuses(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().replace("mode: max", "mode: mx"))
    assert "`mode` can be min, max but got mx" in told(capsys, "fit", "--config", config)


def test_a_run_that_did_not_begin_leaves_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "fit", "--config", config, "--trainer.devices", 0)
    told(capsys, "fit", "--config", config, "--data.init_args.max_length", 0)
    assert not list(config.parent.glob("runs/tiny/*"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.fr", b"un\ndeux\n", "40 lines"),
        ("train.de", b"", "empty"),
        ("train.de", b"eins\n\xff\xfe\n" + b"eins\n" * 38, "line 2"),
        ("train.de", "eins\nzwei\u2028drei\n".encode() + b"eins\n" * 38, "U+2028"),
        ("train.de", b"eins\nzwei\x00\n" + b"eins\n" * 38, "NUL"),
        ("test.tsv", b"eins zwei\n", "tab"),
    ],
)
def test_bad_corpora(name: str, content: bytes, message: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / name).write_bytes(content)
    command = "test" if name.startswith("test") else "fit"
    if command == "test":
        assert main(["fit", "--config", str(config), "--trainer.max_epochs", "1"]) == 0
    line = told(capsys, command, "--config", config)
    assert name in line
    assert message in line


def test_a_broken_validation_text_leaves_no_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "val.fr").write_bytes(b"")
    assert "val.fr" in told(capsys, "fit", "--config", config)
    assert not list(config.parent.glob("runs/tiny/*"))


def test_a_checkpoint_that_does_not_go_with_what_is_asked(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    # Lightning's save_last writes with a new best alone: whether that is the third epoch's is a matter of the seed.
    config.write_text(config.read_text().replace("monitor: val/bleu", "monitor: epoch"))
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "3", "--trainer.logger", "false"]) == 0
    line = told(capsys, "fit", "--config", config, "--ckpt_path", "last", "--trainer.max_epochs", 1)
    assert "trainer.max_epochs is 1, but --ckpt_path is a checkpoint of epoch 3: raise it to resume" in line
    for given in ("runs/tiny", "runs"):
        assert "give one of its runs, runs/tiny/1" in told(capsys, "test", "--ckpt_path", given)
    assert "runs/nothere" in told(capsys, "test", "--ckpt_path", "runs/nothere/2")


def test_a_missing_corpus(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "train.de").rename(config.parent / "tran.de")
    line = told(capsys, "fit", "--config", config)
    assert "train.de" in line
    assert "tran.de" in line


def test_what_is_wrong_in_the_text_is_not_said_of_the_tokenizer(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "train.fr").write_bytes(b"un\ndeux\n")
    assert "tokenizer" not in told(capsys, "fit", "--config", config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: 3", "line 2: unknown option 'modle': did you mean 'model'?"),
        ("modle: {}", "line 2: unknown option 'modle'"),
        ("modle:", "line 2: unknown option 'modle'"),
        ("trainer:\n  max_epoch: 1", "line 3: unknown option 'trainer.max_epoch': did you mean 'max_epochs'"),
    ],
)
def test_an_unknown_key_has_a_file_and_a_line(
    text: str, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = config.parent / "second.yaml"
    second.write_text(f"# a comment\n{text}\n")
    assert f"--config {second}, {message}" in told(capsys, "fit", "--config", config, "--config", second)


def when_written(run: Path) -> dict[Path, bytes]:
    """The files of a run as soon as W&B's own process, which outlives it, has written its last."""
    files: dict[Path, bytes] = {}
    while files != (now := {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}):
        files = now
        time.sleep(1.0)
    return files


def test_a_checkpoint_of_another_model_writes_nothing_over(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "1"]) == 0
    run = config.parent / "runs" / "tiny" / "1"
    before = when_written(run)
    text = config.read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("lightning_modules.nmt.AttentionNMT", "lightning_modules.seq2seq.Seq2Seq"))
    assert other.read_text() != text
    for command in ("fit", "test"):
        line = told(capsys, command, "--config", other, "--ckpt_path", run)
        assert "last.ckpt" in line or "best.ckpt" in line
        assert "was trained with model lightning_modules.nmt.AttentionNMT, but the config says" in line
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_two_whole_experiments_say_which_decides(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, text = config.parent, config.read_text()
    other, part = folder / "other.yaml", folder / "part.yaml"
    other.write_text(text)
    part.write_text(text[text.index("model:") : text.index("data:")])
    for second, warns in ((other, True), (part, False)):
        caplog.clear()
        assert main(["fit", "--config", str(config), "--config", str(second), "--trainer.fast_dev_run", "1"]) == 0
        warnings = [message for message in caplog.messages if message.startswith("seqlab: warning:")]
        assert len(warnings) == warns
        assert all(
            f"{config} and {other} are whole experiments: model and data are those of {other}" in w for w in warnings
        )


def test_a_part_alone_is_no_experiment(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, part = config.read_text(), config.parent / "part.yaml"
    after = "is not given: a config that changes a part goes after that of an experiment, for example --config"
    part.write_text(text[text.index("model:") : text.index("data:")])
    assert f"data {after}" in told(capsys, "fit", "--config", part)
    part.write_text(text[text.index("data:") : text.index("trainer:")])
    assert f"model {after}" in told(capsys, "test", "--config", part)
    part.write_text("trainer: {max_epochs: 1}")
    assert "model and data are not given: name an experiment" in told(capsys, "fit", "--config", part)


def test_a_run_brings_its_config_but_no_trust(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "1"]) == 0
    run = config.parent / "runs" / "tiny" / "1"
    for command in ("validate", "test", "predict"):
        assert main([command, "--ckpt_path", str(run)]) == 0
    assert main(["test", "--ckpt_path", "runs/tiny/1/checkpoints/last.ckpt"]) == 0
    assert main(["fit", "--ckpt_path", "runs/tiny/1", "--trainer.max_epochs", "2"]) == 0
    assert [path.name for path in run.parent.iterdir()] == ["1"]

    original = (run / "config.yaml").read_text()
    schedule = "lightning_modules.schedules.WarmupSchedule"
    hostile = [
        (schedule, "os.system", "names os.system"),
        (
            "experiments.callbacks.PredictionWriter",
            "lightning.pytorch.callbacks.timer.os.system",
            "names lightning.",
        ),
        (
            "experiments.callbacks.PredictionWriter",
            "LambdaCallback",
            "has 'LambdaCallback' where a class path belongs",
        ),
        ("profiler: null", "profiler: evil.Profiler", "names evil.Profiler"),
        ("profiler: null", "profiler: evil/part.yaml", "has 'evil/part.yaml' in trainer.profiler"),
    ]
    for old, new, message in hostile:
        assert old in original
        (run / "config.yaml").write_text(original.replace(old, new))
        line = told(capsys, "test", "--ckpt_path", run)
        assert f"runs/tiny/1/config.yaml {message}" in line

    callback = {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"on_fit_start": "os.system"}}
    with pytest.raises(UserError, match=r"names os\.system"):
        check_config_classes({"trainer": {"callbacks": [callback]}})

    (run / "config.yaml").write_text(original.replace("trust: []", "trust: [evil]"))
    best = run / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    content["hyper_parameters"]["encoder"]["class_path"] = "evil.Encoder"
    torch.save(content, best)
    assert "names evil.Encoder" in told(capsys, "test", "--ckpt_path", run)


def test_a_vocabulary_larger_than_the_data_allows(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = "datamodules.tokenizers.SentencePieceTokenizer"
    line = told(capsys, "fit", "--config", config, "--data.init_args.tokenizer", tokenizer)
    assert "vocabulary_size" in line
    assert "8000" in line


def test_no_config_and_no_such_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "name an experiment with --config" in told(capsys, "fit")
    everything = f"all {len(COMMANDS)} are in seqlab --help"
    assert told(capsys, "fti").endswith(f"unknown command 'fti': did you mean 'fit'? {everything}")
    assert told(capsys, "xyzzy").endswith(f"unknown command 'xyzzy': {everything}")
    (tmp_path / "dates.yaml").touch()
    line = told(capsys, "fit", "--config", tmp_path / "date.yaml")
    assert f"date.yaml: there is no such file; did you mean '{tmp_path}/dates.yaml'?" in line


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "1"]) == 0
    last = config.parent / "runs" / "tiny" / "1" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    capsys.readouterr()
    status = main(
        ["fit", "--config", str(config), "--ckpt_path", "last", "--trainer.max_epochs", "3",
         "--model.init_args.optimizer.init_args.lr", "1e38", "--trainer.gradient_clip_val", "null"]
    )  # fmt: skip
    error = capsys.readouterr().err
    assert status == 1
    assert "NaN or infinite at step" in error
    assert last.read_bytes() == before


OPTIMIZER, SCHEDULER = "model.init_args.optimizer", "model.init_args.scheduler"
STEP = ["--" + SCHEDULER, "torch.optim.lr_scheduler.StepLR"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([f"--{OPTIMIZER}.init_args.lr", -1], f"{OPTIMIZER}.init_args.lr is -1.0: Invalid learning rate"),
        ([f"--{OPTIMIZER}.init_args.betas", "[2, 2]"], f"{OPTIMIZER}.init_args.betas is (2.0, 2.0): Invalid beta"),
        ([f"--{OPTIMIZER}.init_args.betas", "2"], "model: betas is '2', but has to be a list: [float, float]"),
        ([f"--{OPTIMIZER}", "torch.optim.SGD", f"--{OPTIMIZER}.init_args.nesterov", "true"], "nesterov is True: Nest"),
        ([*STEP, f"--{SCHEDULER}.init_args.step_size", 0], f"{SCHEDULER}.init_args.step_size is 0: integer"),
        (
            ["--" + SCHEDULER, "CosineAnnealingLR", f"--{SCHEDULER}.init_args.T_max", 0],
            f"{SCHEDULER}.init_args.T_max is 0: ",
        ),
        ([f"--{SCHEDULER}.init_args.warmup_steps", -1], "warmup_steps is -1: give 0 or more"),
    ],
)
def test_what_an_optimizer_or_schedule_refuses_has_its_key(
    options: list[object], message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    assert message in told(capsys, "fit", "--config", config, *options)
    assert not list(config.parent.glob("runs/tiny/*"))


def test_a_schedule_that_ends_too_early(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schedule = ["--" + SCHEDULER, "OneCycleLR", f"--{SCHEDULER}.init_args.max_lr", 0.1]
    line = told(
        capsys, "fit", "--config", config, *schedule, f"--{SCHEDULER}.init_args.total_steps", 2,
        "--trainer.logger", "false",
    )  # fmt: skip
    assert f"{SCHEDULER}: Tried to step 3 times. The specified number of total steps is 2" in line


def test_a_schedule_that_looks_at_a_metric(config: Path) -> None:
    schedule = [
        "--" + SCHEDULER,
        "lightning.pytorch.cli.ReduceLROnPlateau",
        f"--{SCHEDULER}.init_args.monitor",
        "val/loss",
    ]
    assert (
        main(["fit", "--config", str(config), *schedule, "--trainer.max_epochs", "1", "--trainer.logger", "false"]) == 0
    )


def test_what_nobody_foresaw_is_one_line_too(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of C, so that no line of this file is in the traceback: that would be somebody's own code.
    monkeypatch.setattr("experiments.runs.lightning_cli.go_on_exactly", methodcaller("what_nobody_foresaw"))
    status = main(["fit", "--config", str(config)])
    error = capsys.readouterr().err
    assert status == 1
    assert "seqlab: error: AttributeError: 'Trainer' object has no attribute 'what_nobody_foresaw'" in error
    assert "--debug" in error


def test_last_without_a_last_checkpoint_does_not_start_over(config: Path) -> None:
    fit = ["fit", "--config", str(config), "--trainer.max_epochs", "1", "--ckpt_path", "last", "--trust", "tests"]
    assert main(fit) == 0, "where there is no run, it starts"
    run = config.parent / "runs" / "tiny" / "1"
    (run / "checkpoints" / "last.ckpt").unlink()
    before = (run / "metrics.csv").read_text()
    assert main(fit) == 0
    assert (run / "metrics.csv").read_text() == before, "training resumed from best.ckpt, and it was at its end"
    assert [path.name for path in run.parent.iterdir()] == ["1"]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        main(["fit", "--config", str(tmp_path / "none.yaml"), "--debug"])
