"""Reversal over a fixed context, through the command line: it is learned, and a longer test shows the bottleneck."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.metrics_table import values

CONFIG = Path(__file__).parents[2] / "configs" / "seq2seq" / "reversal.yaml"

SHORT = {
    "data.init_args.alphabet_size": 12,
    "data.init_args.min_length": 3,
    "data.init_args.max_length": 5,
    "data.init_args.train_size": 6000,
    "data.init_args.val_size": 200,
    "data.init_args.test_size": 40,
    "data.init_args.batch_size": 64,
    "model.init_args.encoder.init_args.hidden_size": 48,
    "model.init_args.decoder.init_args.hidden_size": 96,
    "model.init_args.optimizer.init_args.lr": 0.006,
    "trainer.max_epochs": 6,
    "trainer.check_val_every_n_epoch": 3,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}


def seqlab(command: str, root: Path, **more: object) -> int:
    options = SHORT | {"trainer.default_root_dir": root} | {name.replace("__", "."): v for name, v in more.items()}
    return main([command, "--config", str(CONFIG), *(f"--{name}={value}" for name, value in options.items())])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training for all tests of this module, with a random seed."""
    seed = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {seed} (repeat with SEQLAB_TEST_SEED={seed})")
    directory = tmp_path_factory.mktemp("runs")
    assert seqlab("fit", directory, seed_everything=seed) == 0
    return directory


def logged(root: Path, name: str) -> float:
    return values(root / "reversal" / "1", name)[-1]


def test_it_is_learned(root: Path) -> None:
    assert logged(root, "val/exact_match") >= 0.8
    assert logged(root, "val/accuracy") >= 0.9


def test_longer_sources_than_in_training(root: Path) -> None:
    assert seqlab("test", root, data__init_args__test_lengths="[5,12]") == 0
    assert logged(root, "test/exact_match_length_5") >= 0.6
    assert logged(root, "test/exact_match_length_12") <= 0.1
    assert logged(root, "test/token_match_length_12") < logged(root, "test/token_match_length_5")
    assert logged(root, "test/exact_match") == pytest.approx(
        (logged(root, "test/exact_match_length_5") + logged(root, "test/exact_match_length_12")) / 2
    )
    assert list((root / "reversal" / "1" / "figures").glob("test-length_scores-step*.png"))


def test_the_checkpoint_is_enough(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a b c\nl k a b\nc c e\n")
    run = root / "reversal" / "1"
    assert main(["translate", "--ckpt_path", str(run), "--input", str(tmp_path / "in.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line == right for line, right in zip(lines, ["c b a", "b a k l", "e c c"], strict=True)) >= 2
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert "Reverse" in str(best["datamodule_hyper_parameters"]["task"])


def test_training_goes_on_with_the_task_of_the_checkpoint(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seqlab("fit", root, ckpt_path="last", trainer__max_epochs=7) == 0
    assert logged(root, "val/exact_match") >= 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data__init_args__task": "datamodules.reversal.Revers"}, "did you mean 'datamodules.reversal.Reverse'"),
        ({"data__init_args__alphabet_size": 1}, "data.init_args.alphabet_size is 1: give at least 2"),
        ({"data__init_args__min_length": 0}, "data.init_args.min_length is 0: give at least 1"),
        ({"data__init_args__max_length": 2}, "data.init_args.max_length is 2, and min_length 3"),
        ({"data__init_args__train_size": -1}, "data.init_args.train_size is -1: give at least 1"),
        ({"data__init_args__test_lengths": "[0]"}, "data.init_args.test_lengths is [0]: give lengths of at least 1"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    arguments: dict[str, object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("fit", tmp_path, **arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if re.search("seqlab.*error:", line)]
    assert message in line
