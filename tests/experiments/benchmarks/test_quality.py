"""``seqlab benchmark quality``: a small training, timed; when a score was first reached."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from experiments.benchmarks.quality import Point, reached
from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task

POINTS = [Point("a", 1.0, 20.0), Point("b", 2.0, 36.5), Point("c", 3.0, 36.1), Point("d", 4.0, 41.0)]


def test_the_first_checkpoint_that_has_a_score_counts() -> None:
    assert [(each.minutes, each.checkpoint) for each in reached(POINTS, [36.5, 36, 41, 41.1], falls=False)] == [
        (2.0, "b"), (2.0, "b"), (4.0, "d"), (None, ""),
    ]  # fmt: skip
    assert [each.minutes for each in reached(POINTS, [36.2, 20, 19], falls=True)] == [1.0, 1.0, None]


@pytest.mark.long
def test_a_training_is_timed(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    config, output = write_tiny_task(tmp_path, seed, train_size=60), tmp_path / "quality.json"
    words = [
        "benchmark",
        "quality",
        "--config",
        str(config),
        "--metric",
        "test/loss",
        "--falls",
        "--levels",
        "100",
        "0.001",
    ]
    place = ["--directory", str(tmp_path / "runs"), "--output", str(output)]
    begun = time.time()
    assert main([*words, *place, "--", "--trainer.max_epochs", "2"]) == 0
    passed = (time.time() - begun) / 60
    told = capsys.readouterr().out
    assert "| 100 " in told
    assert "not reached" in told
    report = json.loads(output.read_text())
    names = [point["checkpoint"] for point in report["points"]]
    assert names[:2] == ["of-epoch-000", "of-epoch-001"]
    minutes = [point["minutes"] for point in report["points"]]
    assert sorted(minutes) == minutes
    assert 0 < minutes[0] < minutes[1] < passed
    assert report["reached"][0] == {"level": 100, "minutes": minutes[0], "checkpoint": "of-epoch-000"}
    assert report["settings"]["options"] == ["--trainer.max_epochs", "2"]
    assert report["points"][0]["value"] != report["points"][1]["value"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config", "nowhere.yaml"], "--config nowhere.yaml: there is no such file"),
        (["--levels", "high"], "'high' is no number"),
    ],
)
def test_bad_input(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "quality", *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.long
def test_a_metric_that_no_test_logs_is_told(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=60)
    words = ["--config", str(config), "--metric", "test/los", "--directory", str(tmp_path / "runs")]
    assert main(["benchmark", "quality", *words, "--", "--trainer.max_epochs", "1"]) == 2
    assert "--metric test/los: no test of this experiment logs it: did you mean 'test/loss'" in capsys.readouterr().err
