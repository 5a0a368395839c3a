"""Yoyodyne, a toolkit for sequence-to-sequence models of words, on Lightning."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from datamodules.errors import UserError
from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.peer import CHECKPOINTS, Peer
from experiments.benchmarks.peers.process import Command, Finished
from experiments.benchmarks.peers.speed import Report, Translation

REPORT = re.compile(
    r"^step (?P<step>\d+), time (?P<time>[\d.]+), target tokens per second (?P<speed>[\d.]+)$", re.MULTILINE
)

STEP_CLOCK = Path(__file__).with_name("step_clock.py")
"""The module of the callback, which is copied: seqlab itself cannot be imported where the toolkit runs."""

PARTS = "parts"
"""A directory of modules that the toolkit can import."""

MAX_LENGTH = 1000
"""Most symbols of a sentence; longer ones it refuses."""


class Yoyodyne(Peer):
    """Yoyodyne 0.5.27; its ``SoftAttentionLSTMModel``, which is only trained here.

    It reports no tokens per second. A callback counts them and takes the time: the pieces of the targets and one EOS
    for each, over all that happens between two reports, the reading of data too. Batches are of random sentences,
    whatever their lengths.

    Of the model differs:

    - Attention comes before the decoder's LSTM: the last state asks, and the LSTM reads the embedding and the context.
      So there is no input feeding of the last output, of which the context takes the place (it is as wide).
    - There is no linear of state and context: the vocabulary's projection reads the LSTM's output.
    - No bridge: the decoder starts from a state that is learnt, the same for all sentences.
    - Attention does not project the memory once for each sentence, but state and memory together at each step.
    - Source and target share one embedding matrix. Its vocabulary is what the training text uses of the joint one, and
      six reserved symbols; sources are framed by two of them.
    """

    name = "yoyodyne"
    title = "Yoyodyne 0.5.27"
    installations = (
        ("--no-deps", "yoyodyne==0.5.27", "maxwell==0.2.6"),
        (
            "torch==2.13.0",
            "jsonargparse[signatures]==4.53.0",
            "lightning==2.6.6",
            "omegaconf==2.4.0",
            "rich==15.0.0",
            "torchmetrics==1.9.0",
            "wandb==0.31.0",
        ),
    )

    def translate(self, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Refuses.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.title} is measured in training only: translate with another peer")

    @staticmethod
    def reports(training: Finished) -> list[Report]:
        """What the callback told about its speed, in order."""
        return [
            Report(int(told["step"]), float(told["time"]), float(told["speed"]))
            for told in REPORT.finditer(training.output)
        ]

    def _write_data(
        self, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], pieces: Sequence[str]
    ) -> None:
        for name, pairs in (("train", train), ("val", val)):
            with (self.directory / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, delimiter="\t", lineterminator="\n").writerows(pairs)
        parts = self.directory / PARTS
        parts.mkdir(exist_ok=True)
        shutil.copyfile(STEP_CLOCK, parts / STEP_CLOCK.name)

    def _training(self, steps: int) -> Command:
        encoder = {
            "hidden_size": recipe.DIRECTION_SIZE,
            "bidirectional": True,
            "layers": 1,
            "embedding_size": recipe.EMBEDDING_SIZE,
            "dropout": recipe.DROPOUT,
        }
        model = {
            "source_encoder": {"class_path": "yoyodyne.models.modules.LSTMEncoder", "init_args": encoder},
            "embedding_size": recipe.EMBEDDING_SIZE,
            "decoder_hidden_size": recipe.HIDDEN_SIZE,
            "decoder_layers": 1,
            "decoder_dropout": recipe.DROPOUT,
            "label_smoothing": recipe.LABEL_SMOOTHING,
            "optimizer": {
                "class_path": "yoyodyne.optimizers.Adam",
                "init_args": {"lr": recipe.LEARNING_RATE},
            },
        }
        trainer = {
            "accelerator": "gpu" if self._require_prepared().is_gpu else "cpu",
            "devices": 1,
            "max_steps": steps,
            "gradient_clip_val": recipe.CLIP_NORM,
            "limit_val_batches": 0,
            "enable_progress_bar": False,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": CHECKPOINTS}},
            "callbacks": [{"class_path": "step_clock.StepClock", "init_args": {"every": recipe.REPORT_EVERY}}],
        }
        data = {
            "model_dir": CHECKPOINTS,
            "train": "train.tsv",
            "val": "val.tsv",
            "source_sep": " ",
            "target_sep": " ",
            "batch_size": recipe.BATCH_SIZE,
            "max_source_length": MAX_LENGTH,
            "max_target_length": MAX_LENGTH,
        }
        config = {
            "seed_everything": recipe.SEED,
            "trainer": trainer,
            "model": {"class_path": "yoyodyne.models.SoftAttentionLSTMModel", "init_args": model},
            "data": data,
            "checkpoint": {"dirpath": CHECKPOINTS, "filename": "yoyodyne", "every_n_train_steps": steps},
        }
        self._write_config("train.yaml", config)
        variables = {"PYTHONPATH": str(self.directory / PARTS), "WANDB_MODE": "disabled"}
        return self._command("yoyodyne", "fit", "--config", "train.yaml", variables=variables)
