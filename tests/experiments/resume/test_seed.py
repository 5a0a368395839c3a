"""A training that is resumed has the seed that it began with."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task


def test_a_seed_is_the_trainings_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    config = write_tiny_task(tmp_path, seed=3, train_size=60)
    run = tmp_path / "runs" / "tiny" / "1"

    def fit(epochs: int, *words: str) -> tuple[int, str]:
        given = ["fit", "--config", str(config), "--trainer.max_epochs", str(epochs), "--trainer.logger", "false"]
        caplog.clear()
        logger.addHandler(caplog.handler)
        status = main([*given, *words])
        logger.removeHandler(caplog.handler)
        return status, "\n".join([capsys.readouterr().err, *caplog.messages])

    def seed() -> int:
        told: int = yaml.safe_load((run / "config.yaml").read_text())["seed_everything"]
        return told

    assert fit(1, "--seed_everything", "7")[0] == 0
    assert fit(2, "--ckpt_path", "last")[0] == 0, "the seed is not typed again"
    assert seed() == 7
    before = (run / "record.json").read_text()
    for words in (("--ckpt_path", "last"), ("--version", "1")):
        status, told = fit(3, "--seed_everything", "8", *words)
        assert status == 2
        assert "was trained with --seed_everything 7, but the command says 8: leave the seed out" in told
    assert (run / "record.json").read_text() == before
    assert not run.with_name("2").exists()
    status, told = fit(3, "--seed_everything", "8", "--ckpt_path", str(run))
    assert status == 0
    assert "from here on batches and dropout are those of seed 8" in told
    assert seed() == 8
