"""Yoyodyne, a toolkit for sequence-to-sequence models of words, on Lightning."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.corpus import read_lines
from experiments.benchmarks.peers.peer import CHECKPOINTS, Peer
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import Report, Translation, search_seconds, told_reports

REPORT = re.compile(
    r"^step (?P<step>\d+), time (?P<time>[\d.]+), target tokens per second (?P<speed>[\d.]+)$", re.MULTILINE
)

SEARCH = re.compile(r"^search took ([\d.]+) seconds$", re.MULTILINE)
HYPOTHESES = "hypotheses.tsv"
SOURCES = "translated.tsv"

CLOCKS = [Path(__file__).with_name(f"{name}.py") for name in ("step_clock", "search_clock")]
"""The modules of callbacks, which are copied: seqlab itself cannot be imported where the toolkit runs."""

PARTS = "parts"
"""A directory of modules that the toolkit can import."""

MAX_LENGTH = 1000
"""Most symbols of a sentence; longer ones it refuses."""

_DATA: dict[str, object] = {
    "model_dir": CHECKPOINTS,
    "source_sep": " ",
    "target_sep": " ",
    "max_source_length": MAX_LENGTH,
    "max_target_length": MAX_LENGTH,
}


class Yoyodyne(Peer):
    """Yoyodyne 0.5.27; its ``SoftAttentionLSTMModel``.

    It reports no tokens per second. A callback counts them and takes the time: the pieces of the targets and one EOS
    for each, over all that happens between two reports, the reading of data too. Batches are of random sentences,
    whatever their lengths.

    The search's seconds are those of another callback: from before the first batch to after the last, without imports
    and the reading of the checkpoint. Its search has no length penalty.

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
        """Translates the test source; see :meth:`Peer.translate`."""
        checkpoint = self._checkpoint("*.ckpt")
        _write_rows(self.directory / SOURCES, ([line] for line in read_lines(self._source(sentences))))
        data = {"predict": SOURCES, "target_col": 0, "batch_size": batch_size, "max_target_length": recipe.MAX_LENGTH}
        config = {
            "trainer": self._trainer("search_clock.SearchClock", {}) | {"logger": False},
            "model": _model(beam_width=beam_size),
            "data": _DATA | data,
            "prediction": {"path": HYPOTHESES},
        }
        finished = run(
            self._lightning("predict", "translate.yaml", config, "--ckpt_path", str(checkpoint)), "translate"
        )
        with (self.directory / HYPOTHESES).open(encoding="utf-8", newline="") as file:
            if beam_size == 1:
                pieces = [line.rstrip("\n") for line in file]
            else:  # then each hypothesis is followed by its score, the best one first
                pieces = [row[0] for row in csv.reader(file, delimiter="\t")]
        return Translation(
            self._hypotheses(pieces, sentences), finished.seconds, search_seconds(finished, SEARCH, self.title)
        )

    @staticmethod
    def reports(training: Finished) -> list[Report]:
        """What the callback told about its speed, in order."""
        return told_reports(REPORT, training.output)

    def _write_data(
        self, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], pieces: Sequence[str]
    ) -> None:
        _write_rows(self.directory / "train.tsv", train)
        _write_rows(self.directory / "val.tsv", val)
        parts = self.directory / PARTS
        parts.mkdir(exist_ok=True)
        for clock in CLOCKS:
            shutil.copyfile(clock, parts / clock.name)

    def _training(self, steps: int) -> Command:
        fitting = {
            "max_steps": steps,
            "gradient_clip_val": recipe.CLIP_NORM,
            "limit_val_batches": 0,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": CHECKPOINTS}},
        }
        config = {
            "trainer": self._trainer("step_clock.StepClock", {"every": recipe.REPORT_EVERY}) | fitting,
            "model": _model(beam_width=1),
            "data": _DATA | {"train": "train.tsv", "val": "val.tsv", "batch_size": recipe.BATCH_SIZE},
            "checkpoint": {"dirpath": CHECKPOINTS, "filename": "yoyodyne", "every_n_train_steps": steps},
        }
        return self._lightning("fit", "train.yaml", config)

    def _trainer(self, clock: str, arguments: Mapping[str, object]) -> dict[str, object]:
        """What training and translating share."""
        return {
            "accelerator": "gpu" if self._require_prepared().is_gpu else "cpu",
            "devices": 1,
            "enable_progress_bar": False,
            "callbacks": [{"class_path": clock, "init_args": dict(arguments)}],
        }

    def _lightning(self, subcommand: str, name: str, config: Mapping[str, object], *words: str) -> Command:
        """Writes the config and says what takes it."""
        self._write_config(name, {"seed_everything": recipe.SEED, **config})
        variables = {"PYTHONPATH": str(self.directory / PARTS), "WANDB_MODE": "disabled"}
        return self._command("yoyodyne", subcommand, "--config", name, *words, variables=variables)


def _model(beam_width: int) -> dict[str, object]:
    """The model's part of a config; the width of the beam is none of its sizes."""
    encoder = {
        "hidden_size": recipe.DIRECTION_SIZE,
        "bidirectional": True,
        "layers": 1,
        "embedding_size": recipe.EMBEDDING_SIZE,
        "dropout": recipe.DROPOUT,
    }
    arguments = {
        "source_encoder": {"class_path": "yoyodyne.models.modules.LSTMEncoder", "init_args": encoder},
        "embedding_size": recipe.EMBEDDING_SIZE,
        "decoder_hidden_size": recipe.HIDDEN_SIZE,
        "decoder_layers": 1,
        "decoder_dropout": recipe.DROPOUT,
        "label_smoothing": recipe.LABEL_SMOOTHING,
        "optimizer": {"class_path": "yoyodyne.optimizers.Adam", "init_args": {"lr": recipe.LEARNING_RATE}},
        "beam_width": beam_width,
    }
    return {"class_path": "yoyodyne.models.SoftAttentionLSTMModel", "init_args": arguments}


def _write_rows(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes a TSV as the toolkit reads it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
