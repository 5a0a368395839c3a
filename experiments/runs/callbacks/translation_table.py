"""How the translations of a few validation sentences develop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn

from experiments.runs.callbacks.text import (
    ParallelText,
    parallel_text,
    translate_watched,
    watched_sentences,
    written,
)
from experiments.runs.loggers.media import log_table
from experiments.storage.durable import durable_write

TRANSLATIONS = "translations.md"

COLUMNS = ("step", "source", "hypothesis", "reference")


class TranslationTable(L.Callback):
    """Translates the same validation sentences at each validation of a training.

    Source, hypotheses and reference are in ``translations.md`` in the run's directory, a section for each sentence, and
    in the loggers that show tables, as ``val/translations``. A resumed run keeps the rows of its checkpoint.

    Args:
        sentences: How many, spread over the validation set.
    """

    def __init__(self, sentences: int = 8) -> None:
        self.sentences = sentences
        self._rows: list[tuple[int, int, str]] = []  # optimizer step, corpus index, hypothesis

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": [list(row) for row in self._rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the rows of a checkpoint."""
        self._rows = [(step, index, hypothesis) for step, index, hypothesis in state_dict["rows"]]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds a row for each sentence, on rank zero; every rank keeps the rows, for its part of a checkpoint.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        data = parallel_text(trainer)
        sources, references = data.sources("val"), data.references("val")
        watched = watched_sentences(self.sentences, len(sources))
        for index, (_, hypothesis) in zip(watched, translate_watched(trainer, pl_module, watched), strict=True):
            self._rows.append((trainer.global_step, index, written(data, "val", index, hypothesis)))
        _write(Path(trainer.default_root_dir) / TRANSLATIONS, self._rows, data)
        table = [(step, sources[index], hypothesis, references[index]) for step, index, hypothesis in self._rows]
        log_table(trainer, "val/translations", COLUMNS, table, trainer.global_step)


def _write(path: Path, rows: list[tuple[int, int, str]], data: ParallelText) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.writelines(f"{line}\n".encode() for line in _lines(rows, data))


def _lines(rows: list[tuple[int, int, str]], data: ParallelText) -> Iterator[str]:
    yield "# Translations of validation sentences"
    sources, references = data.sources("val"), data.references("val")
    for index in dict.fromkeys(index for _, index, _ in rows):
        yield from ("", f"## Sentence {index + 1}", "")
        yield from ("| step | |", "| ---: | --- |")
        yield f"| source | {_escaped(sources[index])} |"
        yield f"| reference | {_escaped(references[index])} |"
        yield from (f"| {step:,} | {_escaped(text)} |" for step, of, text in rows if of == index)


def _escaped(text: str) -> str:
    """A text as Markdown shows it letter by letter, in one line."""
    return re.sub(r"([\\`*_<>\[\]|#~$])", r"\\\1", " ".join(text.split()))
