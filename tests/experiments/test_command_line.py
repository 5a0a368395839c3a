"""The whole way of a user: fit, test, predict, translate, score and validate, as processes of their own.

What trains and what translates is typed once as in a shell; all else is forked from a process that has imported
everything.
"""

import csv
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from tests.experiments.metrics_table import values
from tests.experiments.seqlab_process import seqlab, typed_seqlab
from tests.experiments.tiny_task import translate, write_tiny_task

pytestmark = pytest.mark.long


@dataclass
class Trained:
    """A run that ended: the config that it was given, its directory, and what it printed."""

    config: Path
    run: Path
    output: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One training for all tests of this module, with a random seed."""
    folder = tmp_path_factory.mktemp("tiny")
    seed = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {seed} (repeat with SEQLAB_TEST_SEED={seed})")
    os.environ["SEQLAB_CACHE"] = str(folder / "cache")
    config = write_tiny_task(folder, seed)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WANDB_MODE", "offline")
        done = typed_seqlab("fit", "--config", config, "--seed_everything", seed)
    assert done.returncode == 0, done.stderr
    return Trained(config, folder / "runs" / "tiny" / "1", done.stdout)


@pytest.fixture(autouse=True)
def same_cache(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(trained.config.parent / "cache"))


def test_a_run_has_everything_in_its_directory(trained: Trained) -> None:
    names = {path.name for path in trained.run.iterdir()}
    assert {"config.yaml", "record.json", "metrics.csv", "checkpoints", "figures", "wandb", "translations.md"} <= names
    assert {path.name for path in (trained.run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert list((trained.run / "figures").glob("val-alignment_1-step*.png"))
    assert (trained.run / "figures" / "curves.png").is_file()
    record = json.loads((trained.run / "record.json").read_text())
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["data"]) == {"train", "val", "test"}


def test_the_last_lines_say_where_everything_is(trained: Trained) -> None:
    best = trained.run / "checkpoints" / "best.ckpt"
    for expected in (f"best checkpoint  {best}", "figures", "wandb sync", f"seqlab translate --ckpt_path {best}"):
        assert expected in trained.output


def test_it_learned(trained: Trained) -> None:
    assert values(trained.run, "val/exact_match")[-1] >= 0.9
    assert values(trained.run, "val/bleu")[-1] >= 90
    loss = values(trained.run, "train/loss")
    assert loss[-1] < 0.2 * loss[0]
    for name in (
        "train/gradient_norm",
        "train/tokens_per_second",
        "train/learning_rate",
        "val/loss",
        "val/perplexity",
        "val/chrf",
    ):
        assert values(trained.run, name), name


def test_the_saved_config_is_whole(trained: Trained) -> None:
    config = yaml.safe_load((trained.run / "config.yaml").read_text())
    assert config["model"]["init_args"]["decoder"]["init_args"]["hidden_size"] == 64
    assert config["model"]["init_args"]["test_search"]["init_args"]["beam_size"] == 5
    assert config["trainer"]["default_root_dir"] == str(trained.config.parent / "runs"), "it repeats, elsewhere"
    assert config["ckpt_path"] is None


def test_test_predict_and_translate_agree(trained: Trained) -> None:
    tested = seqlab("test", "--config", trained.config)
    assert tested.returncode == 0, tested.stderr
    assert values(trained.run, "test/exact_match")[-1] >= 0.75
    assert "test/bleu" in tested.stdout
    assert "tok:13a" in tested.stdout + tested.stderr, "the signature stands beside the score"

    predicted = seqlab("predict", "--config", trained.config, "--ckpt_path", trained.run)
    assert predicted.returncode == 0, predicted.stderr
    sources = [line.split("\t")[0] for line in (trained.config.parent / "test.tsv").read_text().splitlines()]
    with (trained.run / "predictions.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["source"] for row in rows] == sources
    assert sum(row["hypothesis"] == translate(row["source"]) for row in rows) >= 38

    lines = [*sources[:10], "", sources[10]]
    translated = typed_seqlab("translate", "--ckpt_path", trained.run, given="\n".join(lines) + "\n")
    assert translated.returncode == 0, translated.stderr
    hypotheses = [row["hypothesis"] for row in rows]
    assert translated.stdout.splitlines() == [*hypotheses[:10], "", hypotheses[10]]


def test_an_option_wins_over_a_config_that_stands_after_it(trained: Trained) -> None:
    """A run's own config says that no checkpoint was given."""
    last = trained.run / "checkpoints" / "last.ckpt"
    tested = seqlab("test", "--ckpt_path", last, "--config", trained.run / "config.yaml")
    assert tested.returncode == 0, tested.stderr
    assert f"the checkpoint at {last}" in " ".join((tested.stdout + tested.stderr).split())


def test_score_reproduces_what_translate_and_validate_report(trained: Trained, tmp_path: Path) -> None:
    source, target, scores = trained.config.parent / "val.de", tmp_path / "val.fr", tmp_path / "scores.tsv"
    files = ["--input", source, "--output", target, "--scores", scores]
    assert seqlab("translate", "--ckpt_path", trained.run, *files).returncode == 0
    scored = seqlab("score", "--ckpt_path", trained.run, "--source", source, "--target", target, "--batch_size", 7)
    assert scored.returncode == 0, scored.stderr
    found = [line.split("\t") for line in scored.stdout.splitlines()]
    reported = [line.split("\t") for line in scores.read_text().splitlines()]
    assert len(found) == len(reported) == 40
    for (log_probability, tokens, _), row in zip(found, reported, strict=True):
        assert float(log_probability) == pytest.approx(float(row[2]), abs=1e-4)
        assert tokens == row[3]

    references = seqlab("score", "--ckpt_path", trained.run, "--source", source, "--target", source.with_suffix(".fr"))
    validated = seqlab("validate", "--config", trained.config, "--ckpt_path", trained.run)
    assert validated.returncode == 0, validated.stderr
    perplexity = values(trained.run, "val/perplexity")[-1]
    assert float(references.stderr.split()[-1]) == pytest.approx(perplexity, rel=1e-3)


def test_training_goes_on_exactly(trained: Trained, tmp_path: Path) -> None:
    """Two epochs at once, and one epoch continued: the same weights to the bit, the same rows."""
    common = ["fit", "--config", trained.config, "--model.init_args.scheduler", "null", "--trainer.default_root_dir"]
    whole = seqlab(*common, tmp_path / "whole", "--trainer.max_epochs", 2)
    half = seqlab(*common, tmp_path / "parts", "--trainer.max_epochs", 1)
    rest = seqlab(*common, tmp_path / "parts", "--trainer.max_epochs", 2, "--ckpt_path", "last")
    assert whole.returncode == half.returncode == rest.returncode == 0, rest.stderr
    runs = [tmp_path / kind / "tiny" / "1" for kind in ("whole", "parts")]
    assert len(list(runs[1].parent.iterdir())) == 1, "it resumed in the same directory"
    one, other = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in runs)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    for name in ("train/loss", "val/loss", "val/bleu", "train/learning_rate"):
        assert values(runs[0], name) == values(runs[1], name), name


def test_a_checkpoint_beats_configs_and_the_command_line_beats_both(trained: Trained, tmp_path: Path) -> None:
    common = ["fit", "--config", trained.config, "--trainer.default_root_dir", tmp_path]
    common += ["--trainer.limit_train_batches", 2]
    first = seqlab(*common, "--trainer.max_epochs", 1, "--model.init_args.dropout", 0.3)
    changed = tmp_path / "changed.yaml"
    changed.write_text("model:\n  init_args:\n    dropout: 0.2\n    label_smoothing: 0.2\n")
    second = seqlab(
        *common,
        "--config",
        changed,
        "--trainer.max_epochs",
        2,
        "--ckpt_path",
        "last",
        "--model.init_args.token_dropout",
        0.1,
    )
    assert first.returncode == second.returncode == 0, second.stderr
    model = yaml.safe_load((tmp_path / "tiny" / "1" / "config.yaml").read_text())["model"]["init_args"]
    assert (model["dropout"], model["label_smoothing"], model["token_dropout"]) == (0.3, 0.0, 0.1)

    resized = seqlab(*common, "--ckpt_path", "last", "--model.init_args.embedding_size", 7)
    assert resized.returncode == 2
    assert "24" in resized.stderr
    assert "7" in resized.stderr
    assert "Traceback" not in resized.stderr


def test_fine_tuning_begins_with_the_weights_of_a_checkpoint(trained: Trained, tmp_path: Path) -> None:
    best = trained.run / "checkpoints" / "best.ckpt"
    done = seqlab(
        "fit", "--config", trained.config, "--trainer.default_root_dir", tmp_path, "--init_from", best,
        "--trainer.max_epochs", 1, "--trainer.limit_train_batches", 1, "--model.init_args.optimizer.init_args.lr", 0.0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert values(tmp_path / "tiny" / "1", "val/bleu")[0] == pytest.approx(max(values(trained.run, "val/bleu")))


def test_fine_tuning_on_other_text_keeps_the_vocabulary(trained: Trained, tmp_path: Path) -> None:
    """A vocabulary of its own would give the words other ids, and the weights would translate them wrongly."""
    other = write_tiny_task(tmp_path, seed=1, words=["vier", "drei", "zwei"], new_words={"sieben": "sept"})
    done = seqlab(
        "fit", "--config", other, "--init_from", trained.run, "--trainer.max_epochs", 1,
        "--trainer.limit_train_batches", 1, "--model.init_args.optimizer.init_args.lr", 0.0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "unknown tokens" in done.stderr
    run = tmp_path / "runs" / "tiny" / "1"
    assert values(run, "val/exact_match")[0] >= 0.7
    before, after = (
        torch.load(of / "checkpoints" / "last.ckpt", weights_only=True)["TranslationDataModule"]
        for of in (trained.run, run)
    )
    for side in ("source_tokenizer", "target_tokenizer"):
        assert before[side] == after[side]
    assert before["content"] != after["content"]


def test_test_and_predict_need_no_training_text(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    sources = ["eins zwei drei", "sechs fünf"]
    (tmp_path / "own.tsv").write_text("".join(f"{source}\t{translate(source)}\n" for source in sources))
    absent = [
        "--config", trained.config, "--ckpt_path", trained.run, "--data.init_args.test.tsv", tmp_path / "own.tsv",
        "--data.init_args.train.source", tmp_path / "gone.de", "--data.init_args.train.target", tmp_path / "gone.fr",
    ]  # fmt: skip
    for command in ("test", "validate", "predict"):
        done = seqlab(command, *absent)
        assert done.returncode == 0, done.stderr
    with (trained.run / "predictions.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(row["source"], row["hypothesis"]) for row in rows] == [(each, translate(each)) for each in sources]


def test_print_config_combines_files_and_overrides(trained: Trained, tmp_path: Path) -> None:
    second = tmp_path / "second.yaml"
    second.write_text("trainer:\n  max_epochs: 77\n")
    done = seqlab(
        "fit", "--config", trained.config, "--config", second, "--data.init_args.batch_size", 3, "--print_config"
    )
    config = yaml.safe_load(done.stdout)
    assert config["trainer"]["max_epochs"] == 77
    assert config["data"]["init_args"]["batch_size"] == 3
    assert config["experiment"] == "tiny"


def test_two_processes_train_in_one_directory(trained: Trained, tmp_path: Path) -> None:
    """900 pairs in batches of 29: the last batch has one pair, and so nothing for the second process."""
    done = seqlab(
        "fit", "--config", trained.config, "--trainer.default_root_dir", tmp_path, "--trainer.max_epochs", 1,
        "--data.init_args.batch_size", 29, "--trainer.devices", 2, "--trainer.strategy", "ddp",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [run.name for run in (tmp_path / "tiny").iterdir()] == ["1"]
    run = tmp_path / "tiny" / "1"
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 32
    assert values(run, "val/bleu")


def test_torchrun_trains_in_one_directory_as_well(trained: Trained, tmp_path: Path) -> None:
    """Its processes start side by side: rank zero decides on the directory, and the other has it too."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "experiments.cli", "fit",
         "--config", str(trained.config), "--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1",
         "--trainer.limit_train_batches", "4", "--trainer.devices", "2", "--trainer.strategy", "ddp"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SEQLAB_RUN_DIRECTORY": str(tmp_path / "of another run")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next: seqlab test") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["1"]
    run = tmp_path / "tiny" / "1"
    (loss,) = values(run, "val/loss")

    alone = seqlab("validate", "--config", trained.config, "--ckpt_path", run)
    assert alone.returncode == 0, alone.stderr
    assert values(run, "val/loss")[1] == pytest.approx(loss, rel=1e-6), "one process or two measure the same"


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(
    request: pytest.FixtureRequest, trained: Trained, tmp_path: Path
) -> None:
    arguments = [
        "fit",
        "--config",
        trained.config,
        "--trainer.default_root_dir",
        tmp_path / "my runs",
        "--trainer.max_epochs",
        1000,
        "--data.init_args.num_workers",
        1,
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WANDB_MODE": "offline"},
        start_new_session=True,
    )
    request.addfinalizer(process.kill)
    last = tmp_path / "my runs" / "tiny" / "1" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 60
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    before = torch.load(last, weights_only=True)["global_step"]
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the loader and to W&B's process as well
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: a checkpoint is written after this step" in error
    assert f"interrupted; resume with --ckpt_path '{last}'" in error
    assert "Traceback" not in error
    assert torch.load(last, weights_only=True)["global_step"] > before
