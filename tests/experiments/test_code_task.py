"""Code from sentences through the real command line: learnt in seconds, with names that no training pair had."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.metrics_table import values

SMALL = {
    "data.init_args.train_size": 700,
    "data.init_args.val_size": 60,
    "data.init_args.test_size": 80,
    "data.init_args.min_frequency": 8,
    "data.init_args.batch_size": 16,
    "model.init_args.optimizer.init_args.lr": 0.01,
    "trainer.max_epochs": 3,
    "trainer.check_val_every_n_epoch": 3,
    "trainer.accelerator": "cpu",
    "trainer.logger": "MetricsCSV",
    "trainer.enable_progress_bar": "false",
}


def test_names_that_were_never_seen_are_copied_into_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    options += ["--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", "configs/code/sample.yaml", *options]) == 0
    run = tmp_path / "statements" / "1"
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run)]) == 0
    assert values(run, "test/exact_match")[-1] > 0.5
    assert values(run, "test/parses_as_python")[-1] > 0.9
    (tmp_path / "in").write_text("set total to price\nprint 'good day'\nfrom shop import Order\n")
    capfd.readouterr()
    assert main(["translate", "--ckpt_path", str(run), "--input", str(tmp_path / "in")]) == 0
    written = capfd.readouterr().out.splitlines()
    assert sum(map(str.__eq__, written, ["total = price", "print('good day')", "from shop import Order"])) >= 2
