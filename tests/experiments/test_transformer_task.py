"""A Transformer through the command line: it learns to reverse, and its checkpoint is all that the tools need."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.metrics_table import values
from tests.experiments.tiny_task import write_tiny_task

CONFIG = Path(__file__).parents[2] / "configs" / "seq2seq" / "reversal_transformer.yaml"

SIZES = {"hidden_size": 32, "heads": 2, "feedforward_size": 64, "positions": "RotaryPositions"}
SHORT = {
    "data.init_args.alphabet_size": 12,
    "data.init_args.min_length": 3,
    "data.init_args.max_length": 5,
    "data.init_args.train_size": 6000,
    "data.init_args.val_size": 200,
    "data.init_args.batch_size": 64,
    **{f"model.init_args.{part}.init_args.{name}": v for part in ("encoder", "decoder") for name, v in SIZES.items()},
    "model.init_args.embedding_size": 24,
    "model.init_args.optimizer.init_args.lr": 0.006,
    "trainer.max_epochs": 3,
    "trainer.check_val_every_n_epoch": 3,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.callbacks+": "AttentionStatistics",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training for all tests of this module, with a random seed."""
    seed = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {seed} (repeat with SEQLAB_TEST_SEED={seed})")
    root = tmp_path_factory.mktemp("runs")
    options = SHORT | {"trainer.default_root_dir": root, "seed_everything": seed}
    assert main(["fit", "--config", str(CONFIG), *(f"--{name}={value}" for name, value in options.items())]) == 0
    return root / "reversal-transformer" / "1"


def test_it_is_learned(run: Path) -> None:
    assert values(run, "val/exact_match")[-1] >= 0.8
    assert values(run, "val/accuracy")[-1] >= 0.9


def test_pictures_and_statistics_of_its_attention(run: Path) -> None:
    """Its heads, averaged, mostly look at the letter that comes next."""
    assert values(run, "val/attention_peak_right")[-1] >= 0.5
    assert 0 < values(run, "val/attention_entropy")[-1] < 1.2  # of even weights it would be 1.6
    assert list((run / "figures").glob("*alignment*.png"))


def test_the_checkpoint_is_enough(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """To translate, alone and beside others; what a search reports is what scoring finds."""
    (tmp_path / "in.txt").write_text("a b c\nl k a b\nc c e\n")
    files = {name: str(tmp_path / name) for name in ("in.txt", "out.txt", "scores.tsv")}
    search = ["--input", files["in.txt"], "--output", files["out.txt"], "--scores", files["scores.tsv"]]
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    for checkpoints in ([best], [best, last]):
        named = ["--ckpt_path", *map(str, checkpoints)]
        assert main(["translate", *named, *search, "--beam_size", "3", "--overwrite"]) == 0
        lines = (tmp_path / "out.txt").read_text().splitlines()
        assert sum(line == right for line, right in zip(lines, ["c b a", "b a k l", "e c c"], strict=True)) >= 2
        capsys.readouterr()
        assert main(["score", *named, "--source", files["in.txt"], "--target", files["out.txt"]]) == 0
        scored = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
        reported = [float(line.split("\t")[2]) for line in (tmp_path / "scores.tsv").read_text().splitlines()]
        assert scored == pytest.approx(reported, abs=1e-4)


@pytest.mark.drawn
def test_its_topmost_attention_is_shown(run: Path, tmp_path: Path) -> None:
    for what in ("alignment", "temperature"):
        output = tmp_path / f"{what}.png"
        assert main(["show", what, "--ckpt_path", str(run), "--sentence", "a b c", "--output", str(output)]) == 0
        assert output.stat().st_size > 1000


def test_a_training_that_was_interrupted_goes_on_exactly(tmp_path: Path, seed: int) -> None:
    """With dropout at every place, above a recurrent encoder."""
    config = write_tiny_task(tmp_path, seed, train_size=200)
    decoder = {"hidden_size": 16, "heads": 2, "feedforward_size": 16, "layers": 2, "dropout": 0.2}

    def checkpoints(name: str, *arguments: str) -> Path:
        fit = [
            "fit", "--config", str(config), "--trainer.default_root_dir", str(tmp_path / name),
            "--trainer.max_epochs=2", "--trainer.limit_val_batches=1", "--trainer.logger=false",
            "--model.init_args.decoder=TransformerDecoder", "--model.init_args.decoder.init_args.attention_dropout=0.2",
            *(f"--model.init_args.decoder.init_args.{key}={value}" for key, value in decoder.items()),
            "--trainer.callbacks.init_args.filename={step}", "--trainer.callbacks.init_args.save_top_k=-1",
            "--trainer.val_check_interval=3", *arguments,
        ]  # fmt: skip
        assert main(fit) == 0
        return tmp_path / name / "tiny" / "1" / "checkpoints"

    def weights(folder: Path) -> dict[str, torch.Tensor]:
        return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]

    whole = checkpoints("whole")
    (whole / "step-10.ckpt").rename(tmp_path / "interrupted.ckpt")
    after = weights(checkpoints("rest", f"--ckpt_path={tmp_path / 'interrupted.ckpt'}"))
    for name, value in weights(whole).items():
        assert torch.equal(value, after[name]), name


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("decoder.init_args.heads=3", "heads of TransformerDecoder is 3, which does not divide its hidden_size of 32"),
        ("encoder.init_args.heads=32", "RotaryPositions turns pairs of numbers, but a head is 1 wide: change heads"),
        ("encoder.init_args.dropout=1", "dropout of TransformerEncoder is 1.0: give 0 or more, and less than 1"),
        ("bridge=CopyBridge", "CopyBridge needs states of one kind and width"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    option: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SHORT | {"trainer.default_root_dir": tmp_path}
    words = [*(f"--{name}={value}" for name, value in options.items()), f"--model.init_args.{option}"]
    assert main(["fit", "--config", str(CONFIG), *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert message in line
