"""The best checkpoint: of words and of sentences, where the metric is blind, and what is not kept in it."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.batch import SequenceBatch
from experiments.callbacks import BestCheckpoint
from experiments.cli import main
from experiments.metrics.text import ngram_order
from lightning_modules.decoding.hypothesis import Hypothesis
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer
from tests.experiments.test_bad_input import told
from tests.experiments.tiny_task import WORDS, write_tiny_task

CALLBACKS = """\
    - class_path: experiments.callbacks.BestCheckpoint
      init_args: {monitor: val/bleu, mode: max}
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {filename: last, monitor: epoch, mode: max, enable_version_counter: false}
"""


def write_config(folder: Path, seed: int, train_size: int = 60) -> Path:
    """The tiny task with the checkpoints of the project's configs, and without pictures."""
    config = write_tiny_task(folder, seed, train_size)
    lines = config.read_text().splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if "AlignmentFigures" in line)
    config.write_text("".join(lines[:begin]) + CALLBACKS)
    return config


class Scripted(EchoModel):
    """Logs given values in place of its own, one for each epoch."""

    def __init__(self, scores: Sequence[float], losses: Sequence[float]) -> None:
        super().__init__()
        self.values = {"val/score": scores, "val/loss": losses}

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        for name, values in self.values.items():
            self.log(name, values[self.current_epoch], batch_size=len(batch))
        return []


def scripted_fit(run: Path, model: L.LightningModule, epochs: int, mode: str, resumed: str | None = None) -> str | None:
    best = BestCheckpoint("val/score", mode, str(run))
    last = ModelCheckpoint(run, "last", "epoch", mode="max", enable_version_counter=False)
    trainer = make_trainer(run, max_epochs=epochs, callbacks=[best, last], enable_checkpointing=True)
    trainer.fit(model, datamodule=EchoData(), ckpt_path=resumed)
    return best.closing_remark()


@pytest.mark.parametrize(
    ("scores", "losses", "mode", "expected", "remarks"),
    [
        ([0, 0, 0], [3, 1, 2], "max", 1, True),
        ([0, 0, 0], [3, 1, 1], "max", 2, True),
        ([0, 0, 5], [1, 2, 3], "max", 2, False),
        ([0, 5, 0], [1, 2, 3], "max", 1, False),
        ([0, 5, 5], [1, 2, 3], "max", 2, False),
        ([7, 5, 5], [3, 2, 4], "min", 2, False),
        ([math.nan, 1, 2], [1, 1, 1], "max", 2, False),
        ([1, math.nan, 0], [1, 1, 1], "max", 0, False),
        ([math.nan, math.nan, math.nan], [3, 1, 2], "max", 1, True),
        ([math.nan, math.nan, math.nan], [3, 2, 1], "min", 2, True),
    ],
)
def test_which_validation_is_the_best(
    scores: list[float], losses: list[float], mode: str, expected: int, remarks: bool, tmp_path: Path
) -> None:
    remark = scripted_fit(tmp_path / "whole", Scripted(scores, losses), 3, mode)
    best = tmp_path / "whole" / "best.ckpt"
    assert torch.load(best, weights_only=True)["epoch"] == expected
    assert (remark is not None) == remarks
    if remark is not None:
        seen = "no finite number" if math.isnan(scores[0]) else "0"
        assert remark.startswith(f"val/score was {seen} in each of 3 validations: val/loss has chosen best.ckpt")

    run = tmp_path / "resumed"
    scripted_fit(run, Scripted(scores, losses), 2, mode)
    again = scripted_fit(run, Scripted(scores, losses), 3, mode, str(run / "last.ckpt"))
    assert torch.load(run / "best.ckpt", weights_only=True)["epoch"] == expected, "it remembers what was before"
    assert again == remark


@pytest.mark.parametrize(
    ("references", "order"),
    [
        (["300"] * 20, 1),
        (["disk full"] * 20, 2),
        (["disk full"] * 19 + ["out of memory at night"], 2),
        (["disk full"] * 17 + ["out of memory at night"] * 3, 4),
        (["a b c d e f"] * 20, 4),
    ],
)
def test_ngrams_are_no_longer_than_the_references(references: list[str], order: int) -> None:
    assert ngram_order(references) == order


def test_targets_of_one_word_are_told_apart(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """By BLEU-4 all epochs were equal, and the first was kept."""
    config = write_config(tmp_path, seed)
    generator = random.Random(seed)
    for split, size in (("train", 200), ("val", 30)):
        words = generator.choices(list(WORDS), k=size)
        (tmp_path / f"{split}.de").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        (tmp_path / f"{split}.fr").write_text("".join(f"{WORDS[word]}\n" for word in words), encoding="utf-8")
    short = ["--trainer.logger", "false", "--trainer.max_epochs", "6"]
    assert main(["fit", "--config", str(config), *short]) == 0
    run = tmp_path / "runs" / "tiny" / "1"
    assert torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] > 1
    assert "|ngram:1|" in (run / "signatures.json").read_text()
    assert "note  " not in capsys.readouterr().out
    assert main(["validate", "--config", str(config)]) == 0
    table = capsys.readouterr().out
    assert "val/bleu" in table
    score = next(line for line in table.splitlines() if "val/exact_match" in line)
    assert float(score.split("│")[2]) > 0.9


def test_a_metric_that_is_blind_is_said(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """No sentence is right yet, so that exact match is 0 throughout."""
    config = write_config(tmp_path, seed)
    for name in ("train.fr", "val.fr"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("\n", " un deux trois quatre cinq six\n"), encoding="utf-8")
    config.write_text(config.read_text().replace("monitor: val/bleu", "monitor: val/exact_match"))
    few = ["--trainer.logger", "false", "--trainer.max_epochs", "3", "--trainer.limit_train_batches", "1"]
    assert main(["fit", "--config", str(config), *few]) == 0
    output = capsys.readouterr().out
    assert "note             val/exact_match was 0 in each of 3 validations: val/loss has chosen best.ckpt" in output
    best = tmp_path / "runs" / "tiny" / "1" / "checkpoints" / "best.ckpt"
    assert torch.load(best, weights_only=True)["epoch"] == 2
    assert f"best checkpoint  {best}" in output


def test_the_best_has_no_state_of_the_training(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = write_config(tmp_path, seed)
    words = ["fit", "--config", str(config), "--trainer.logger", "false", "--trainer.max_epochs"]
    assert main([*words, "1"]) == 0
    run = tmp_path / "runs" / "tiny" / "1"
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    assert best.stat().st_size < 0.45 * last.stat().st_size

    instead = f"resume from {last}, or begin anew with these weights by --init_from {best}"
    refused = told(capsys, *words, 2, "--ckpt_path", "best")
    assert f"--ckpt_path {best} has the weights alone, no state of the optimizer: {instead}" in refused
    assert main(["average", str(best), str(last), "--output", str(tmp_path / "mean.ckpt")]) == 0
    assert "mean.ckpt has the weights alone" in told(capsys, *words, 2, "--ckpt_path", tmp_path / "mean.ckpt")
    for command in ("validate", "test"):
        assert main([command, "--config", str(config), "--ckpt_path", "best"]) == 0
    for start in (best, tmp_path / "mean.ckpt"):
        assert main([*words, "1", "--init_from", str(start)]) == 0
    assert main([*words, "2", "--ckpt_path", str(run)]) == 0, "of a directory the last"
    assert torch.load(last, weights_only=True)["epoch"] == 1

    last.unlink()
    kept = best.read_bytes()
    for newer in ("2", "3"):
        (tmp_path / "runs" / "tiny" / newer).rename(tmp_path / newer)
    config.write_text("".join(config.read_text().splitlines(keepends=True)[:-2]))  # as a config was that wrote none
    with caplog.at_level(logging.INFO):
        assert main([*words, "1", "--ckpt_path", "last"]) == 0
    assert "--ckpt_path last: there is no run yet to resume, training begins" in caplog.text
    assert best.read_bytes() == kept
    written = [path.name for path in sorted((tmp_path / "runs" / "tiny" / "2" / "checkpoints").iterdir())]
    assert written == ["best.ckpt", "last.ckpt"], "a run with a best one has the last one too"


@pytest.mark.parametrize("keep", [None, 2])
def test_the_last_is_written_though_the_first_stays_the_best(keep: int | None, tmp_path: Path, seed: int) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=60)
    text = config.read_text()
    text = text[: text.index("    - class_path: lightning.pytorch.callbacks.ModelCheckpoint")]
    text += "    - class_path: BestCheckpoint\n      init_args: {monitor: val/loss, mode: max}\n"  # it falls
    if keep is not None:
        text += f"    - class_path: LastCheckpoints\n      init_args: {{keep: {keep}}}\n"
    config.write_text(text)
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "4"]) == 0
    folder = tmp_path / "runs" / "tiny" / "1" / "checkpoints"
    epochs = {path.name: torch.load(path)["epoch"] for path in folder.iterdir()}
    kept = {} if keep is None else {"epoch-002.ckpt": 2, "epoch-003.ckpt": 3}
    assert epochs == {"best.ckpt": 0, "last.ckpt": 3, **kept}


@pytest.mark.parametrize(
    "config", sorted((Path(__file__).parents[3] / "configs").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_every_config_keeps_its_best_in_this_way(config: Path) -> None:
    callbacks = (yaml.safe_load(config.read_text()).get("trainer") or {}).get("callbacks", [])
    assert [callback["class_path"] for callback in callbacks].count("BestCheckpoint") == bool(callbacks)
