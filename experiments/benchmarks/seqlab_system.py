"""seqlab as one of the systems that are measured: its own commands, in processes of their own, as anyone types them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from datamodules.corpora.corpus import TextFiles, find_file
from datamodules.errors import RunFailed, UserError
from experiments.benchmarks.options import FLOAT32
from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.corpus import read_lines, write_lines
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import (
    Report,
    TrainingSpeed,
    Translation,
    check_steps,
    search_seconds,
    training_speed,
)
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT, METRICS, RUNS
from experiments.storage.metrics_table import read_metrics

CONFIG = Path("configs") / "benchmarks" / "input_feeding.yaml"
"""The model of :mod:`experiments.benchmarks.peers.recipe`."""

SEARCH = re.compile(r"^[\d,]+ lines in ([\d.]+) seconds,", re.MULTILINE)


class Seqlab:
    """``seqlab fit`` and ``seqlab translate``.

    Target tokens are those that the loss is taken of: the pieces of the targets and one EOS for each. Its reports of
    tokens per second, from ``metrics.csv``, cover all that happens between them, the reading of data too. Batches are
    of sentences of about the same length.

    The search's seconds are what it tells itself (``--report_time``): from the first line that is read to the last
    translation that is written, without imports and the reading of the checkpoint.

    Args:
        directory: What it writes.
        config: Config file of the experiment.
        hardware: What trains and translates.
        precision: Precision of the training, as Lightning names it.
    """

    def __init__(self, directory: Path, config: Path, hardware: Hardware, precision: str = FLOAT32) -> None:
        self.directory = directory.absolute() / "seqlab"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._config = config.absolute()
        self._hardware = hardware
        self._precision = precision

    @property
    def checkpoint(self) -> Path:
        """What the last training left."""
        return self.directory / RUNS / "benchmark" / "1" / CHECKPOINTS / LAST_CHECKPOINT

    def train(self, steps: int) -> TrainingSpeed:
        """Trains from the beginning, and leaves a checkpoint.

        Args:
            steps: Updates.

        Returns:
            How fast it was, without the first reports.

        Raises:
            UserError: There are too few steps.
            RunFailed: It failed.
        """
        check_steps(steps)
        shutil.rmtree(self.directory / "runs", ignore_errors=True)
        finished = self._run(
            "train",
            "fit",
            *("--config", str(self._config)),
            *("--experiment", "benchmark"),
            *("--trainer.default_root_dir", str(self.directory / "runs")),
            *("--trainer.accelerator", "gpu" if self._hardware.is_gpu else "cpu"),
            *("--trainer.devices", "1"),
            *("--trainer.precision", self._precision),
            *("--trainer.max_steps", str(steps)),
            *("--trainer.limit_val_batches", "0"),
            *("--trainer.num_sanity_val_steps", "0"),
            *("--trainer.log_every_n_steps", str(recipe.REPORT_EVERY)),
            *("--trainer.callbacks", "lightning.pytorch.callbacks.ModelCheckpoint"),
            *("--trainer.callbacks.save_last", "true"),
            *("--trainer.callbacks.save_top_k", "0"),
        )
        return training_speed(read_reports(self.checkpoint.parents[1] / METRICS), finished.peak_memory_mib)

    def translate(self, source: Path, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Translates a file with the checkpoint that was trained last.

        Args:
            source: One sentence a line.
            beam_size: Hypotheses that are kept at each step.
            batch_size: Sentences at once.
            sentences: The first lines alone; None for all.

        Returns:
            The translations and the time that they took.

        Raises:
            UserError: There is no checkpoint.
            RunFailed: It failed.
        """
        if not self.checkpoint.is_file():
            raise UserError(f"seqlab has no checkpoint in {self.directory}: train it first")
        chosen = self.directory / "chosen.source"
        write_lines(chosen, read_lines(source)[:sentences])
        finished = self._run(
            "translate",
            "translate",
            *("--ckpt_path", str(self.checkpoint)),
            *("--input", str(chosen)),
            *("--device", "cuda" if self._hardware.is_gpu else "cpu"),
            *("--beam_size", str(beam_size)),
            *("--batch_size", str(batch_size)),
            *("--length_penalty", str(recipe.LENGTH_PENALTY)),
            "--report_time",
        )
        return Translation(
            finished.output.split("\n")[:-1], finished.seconds, search_seconds(finished, SEARCH, "seqlab")
        )

    def _run(self, name: str, *words: str) -> Finished:
        data = find_file(_data_file()).parents[1]
        variables = {"SEQLAB_DATA": str(data.absolute()), "WANDB_MODE": "disabled"}
        command = [sys.executable, "-m", "experiments.cli", *words]
        return run(Command(command, self.directory, self._hardware, variables), name)


def read_reports(metrics: Path) -> list[Report]:
    """What a run told about its speed.

    Args:
        metrics: Its ``metrics.csv``.

    Raises:
        RunFailed: The file is not there.
    """
    try:
        speeds = read_metrics(metrics).get("train/tokens_per_second", [])
    except OSError as error:
        raise RunFailed(f"the training left no metrics: {error}") from error
    # Lightning numbers the steps from 0.
    return [Report(each.step + 1, each.time, each.value) for each in speeds]


def corpus_files(split: str) -> TextFiles:
    """The text of a split, by which all systems are measured: Multi30k, English to German."""
    name = {"train": "train", "val": "val", "test": "test_2016_flickr"}[split]
    return TextFiles(f"multi30k/{name}.en.gz", f"multi30k/{name}.de.gz")


def _data_file() -> str:
    return corpus_files("train").source
