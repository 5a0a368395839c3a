"""A few validation sentences through a training: how their translations develop, and what the model attends to."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.figure import Figure
from torch import Tensor

from datamodules.batch import EOS, PAD, SPECIAL_PIECES, Padded
from experiments.callbacks.text import SentencePairs, sentence_pairs, written
from experiments.figures.alignment import alignment_figure
from experiments.loggers.media import log_figure, log_table
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search

TRANSLATIONS = "translations.md"

COLUMNS = ("step", "source", "hypothesis", "reference")


class TranslatingModule(Protocol):
    """What a model offers that translates outside its steps."""

    device: torch.device
    val_search: Search

    def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
        """For each source its hypotheses, best first."""


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
        data = sentence_pairs(trainer)
        sources, references = data.sources("val"), data.references("val")
        watched = watched_sentences(self.sentences, len(sources))
        for index, (_, hypothesis) in zip(watched, translate_watched(trainer, pl_module, watched), strict=True):
            self._rows.append((trainer.global_step, index, written(data, "val", index, hypothesis)))
        _write(Path(trainer.default_root_dir) / TRANSLATIONS, self._rows, data)
        table = [(step, sources[index], hypothesis, references[index]) for step, index, hypothesis in self._rows]
        log_table(trainer, "val/translations", COLUMNS, table, trainer.global_step)


@dataclass(frozen=True)
class Watched:
    """A validation sentence that is watched.

    Attributes:
        index: Its index in the validation set.
        source: Its ids, closed by EOS.
        hypothesis: The best one.
        weights: ``(target_len, source_len)``, what it attended to.
    """

    index: int
    source: list[int]
    hypothesis: Hypothesis
    weights: Tensor


class WatchedAttention(L.Callback, ABC):
    """Draws what a model attends to in the same validation sentences, at each validation of a training.

    Args:
        count: How many sentences, spread over the validation set.

    Attributes:
        figure_name: What is drawn: a figure is ``val/NAME_1`` and so on.
    """

    figure_name: str

    def __init__(self, count: int) -> None:
        self._count = count

    @abstractmethod
    def drawn(self, data: SentencePairs, watched: Watched, title: str) -> Figure:
        """Draws one sentence.

        Args:
            data: Spells it.
            watched: The sentence, and what was found for it.
            title: Stands above the figure.
        """

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures, on rank zero; none of a model without attention.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        data = sentence_pairs(trainer)
        indices = watched_sentences(self._count, len(data.sources("val")))
        found = translate_watched(trainer, pl_module, indices, with_attention=True)
        for number, (index, (source, hypothesis)) in enumerate(zip(indices, found, strict=True), start=1):
            if hypothesis.attention is None:
                return
            weights = hypothesis.attention.detach().float().cpu()
            figure = self.drawn(data, Watched(index, source, hypothesis, weights), f"step {trainer.global_step:,}")
            log_figure(trainer, f"val/{self.figure_name}_{number}", figure, trainer.global_step)


class AlignmentFigures(WatchedAttention):
    """Draws what a model attends to in the same validation sentences, at each validation of a training.

    The figures are in ``figures/`` in the run's directory, ``val-alignment_1-step000123.png`` and so on, and in the
    loggers that show pictures, as ``val/alignment_1``. A model without attention has none.

    Args:
        sentences: How many, spread over the validation set.
    """

    figure_name = "alignment"

    def __init__(self, sentences: int = 3) -> None:
        super().__init__(sentences)
        self.sentences = sentences

    def drawn(self, data: SentencePairs, watched: Watched, title: str) -> Figure:
        """The alignment, a row for each target token; see :meth:`WatchedAttention.drawn`."""
        of_source, of_target = data.spellings(data.sources("val")[watched.index])
        columns = of_source.pieces(watched.source)
        columns += [SPECIAL_PIECES[PAD]] * _padding(watched.weights, len(columns))
        # A hypothesis that was cut at the maximum length has no row for EOS.
        rows = of_target.pieces([*watched.hypothesis.ids, EOS][: len(watched.weights)])
        return alignment_figure(columns, rows, watched.weights, title)


def watched_sentences(count: int, total: int) -> list[int]:
    """Indices of sentences to watch through training, spread over the corpus.

    They begin 0, 1/2, 1/4, 3/4, 1/8 ... of the corpus (van der Corput's sequence), so that a smaller choice is the
    beginning of a larger one.

    Args:
        count: How many.
        total: Sentences of the corpus; there are no more to watch.
    """
    chosen: dict[int, None] = {}
    number = 0
    while len(chosen) < min(count, total):
        fraction = int(f"{number:032b}"[::-1], base=2) / 2**32
        chosen[int(fraction * total)] = None
        number += 1
    return list(chosen)


def translate_watched(
    trainer: L.Trainer, module: L.LightningModule, indices: Sequence[int], with_attention: bool = False
) -> list[tuple[list[int], Hypothesis]]:
    """Translates validation sentences by the search of validation, in one batch.

    Args:
        trainer: Has the data module.
        module: The model; one that can translate.
        indices: Indices of the sentences in the validation set.
        with_attention: Also return what each hypothesis attended to.

    Returns:
        For each sentence its source ids, closed by EOS, and the best hypothesis.
    """
    data = sentence_pairs(trainer)
    texts = data.sources("val")
    sources = [[*data.spellings(texts[index])[0].encode(texts[index]), EOS] for index in indices]
    model = cast(TranslatingModule, module)
    found = model.translate(Padded.from_sequences(sources).to(model.device), model.val_search, with_attention)
    return [(source, hypotheses[0]) for source, hypotheses in zip(sources, found, strict=True)]


def _write(path: Path, rows: list[tuple[int, int, str]], data: SentencePairs) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.writelines(f"{line}\n".encode() for line in _lines(rows, data))


def _lines(rows: list[tuple[int, int, str]], data: SentencePairs) -> Iterator[str]:
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


def _padding(weights: Tensor, source_length: int) -> int:
    """How many columns are padding, after a look at whether they are 0, as they have to be."""
    padding = weights[:, source_length:]
    if torch.count_nonzero(padding):
        raise ValueError(f"attention of shape {tuple(weights.shape)} is not 0 beyond {source_length} source tokens")
    return padding.shape[1]
