"""The commands that a run prints can be pasted, wherever its directory is."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task


def test_the_closing_lines_of_a_run(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=20)
    monkeypatch.chdir(tmp_path)
    root = "meine läufe; $HOME & 'mehr'"
    words = ["fit", "--config", str(config), "--trainer.default_root_dir", root, "--trainer.max_epochs", "1"]
    words += ["--trainer.logger", "experiments.loggers.MetricsCSV"]
    monkeypatch.setattr(sys, "argv", ["seqlab", *words])
    assert main(words) == 0
    printed = capsys.readouterr().out.splitlines()
    told = [line.partition(": ")[2] for line in printed if line.startswith(("next: ", "  or: "))]
    test, translate = (shlex.split(line) for line in told)
    run = Path(root) / "tiny" / "1"
    best = str(run / "checkpoints" / "best.ckpt")
    assert test == ["seqlab", "test", "--config", str(run / "config.yaml"), "--ckpt_path", best]
    assert translate == ["seqlab", "translate", "--ckpt_path", best]
    assert main(test[1:]) == 0
    recorded = json.loads((run / "record.json").read_text())["command"]
    assert shlex.split(recorded) == ["seqlab", *words]
