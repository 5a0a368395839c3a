"""Reversal of real vectors over a fixed context, through the command line: it is learned, also when it runs alone."""

from __future__ import annotations

import csv
from pathlib import Path

from experiments.cli import main

CONFIG = Path(__file__).parents[2] / "configs" / "seq2seq" / "vectors.yaml"

SHORT = {
    "data.init_args.min_length": 2,
    "data.init_args.max_length": 3,
    "data.init_args.train_size": 6000,
    "data.init_args.val_size": 200,
    "data.init_args.test_size": 200,
    "model.init_args.encoder.init_args.hidden_size": 32,
    "model.init_args.decoder.init_args.hidden_size": 64,
    "trainer.max_epochs": 8,
    "trainer.check_val_every_n_epoch": 4,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}


def test_vectors_are_written_back_from_last_to_first(tmp_path: Path, seed: int) -> None:
    """Whoever answers 0 to everything has a mean squared error of 1, the variance of the numbers."""
    options = SHORT | {"trainer.default_root_dir": tmp_path, "seed_everything": seed}
    words = [f"--{name}={value}" for name, value in options.items()]
    assert main(["fit", "--config", str(CONFIG), *words]) == 0
    assert main(["test", "--config", str(CONFIG), *words]) == 0
    with (tmp_path / "vectors" / "1" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    losses = {
        name: [float(row[name]) for row in rows if row.get(name)][-1]
        for name in ("test/loss", "test/loss_free_running")
    }
    assert losses["test/loss"] < 0.1
    assert losses["test/loss_free_running"] < 0.1
