"""The API: what each address takes, and who computes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from experiments.explorer.exhibits import Exhibits
from experiments.explorer.fields import Fields
from experiments.explorer.label_view import LabelView
from experiments.explorer.look import LONGEST_SOURCE, MOST_TOKENS, Look
from experiments.explorer.music_view import MusicView
from experiments.explorer.series_view import SeriesView
from experiments.explorer.states_view import translation_states
from experiments.explorer.training_view import epoch
from experiments.explorer.translation_view import TranslationView, decoder_outputs, head_names
from experiments.explorer.translations import TranslationQueue
from experiments.explorer.worker import Ticket, Worker
from lightning_modules.decoding.trace import trace
from lightning_modules.monotonic_transducer import MonotonicTransducer

Answer = Callable[[Fields], Awaitable[dict[str, Any]]]

LONGEST_MUSIC = 20_000
"""Characters of ABC."""

MOST_CHECKPOINTS = 10_000


@dataclass(frozen=True)
class Route:
    """An address of the API.

    Attributes:
        path: Below the server's root.
        method: GET takes nothing, POST a JSON object.
        summary: What it is for, in one line.
        answer: Computes the answer.
    """

    path: str
    method: Literal["GET", "POST"]
    summary: str
    answer: Answer


class Api:
    """Answers for one set of checkpoints.

    Args:
        exhibits: The checkpoints.
        worker: Computes.
    """

    def __init__(self, exhibits: Exhibits, worker: Worker) -> None:
        self._exhibits = exhibits
        self._worker = worker

    def routes(self) -> list[Route]:
        """The addresses that these checkpoints have."""
        of_kind = {"translation": self._of_translation, "labels": self._of_labels, "series": self._of_series}
        about_all = Route("/api/about", "GET", "The checkpoints, and what they are of", self._about)
        return [about_all, *of_kind[self._exhibits.kind]()]

    def _of_translation(self) -> list[Route]:
        queue = TranslationQueue(self._worker, self._exhibits.view(0, TranslationView).translator)
        found = [
            Route("/api/look", "POST", "One sentence: hypotheses, attention, steps, beam", self._look),
            Route("/api/states", "POST", "Hidden states and gates of one sentence, step by step", self._states),
            Route("/api/translate", "POST", "Many sentences, in batches, for programs", queue.translate),
        ]
        if self._exhibits.of_training():
            found.append(Route("/api/training", "POST", "One sentence at each epoch of the training", self._training))
        if self._exhibits.corpus is not None:
            summary = "The tokens of the corpus with the closest decoder states"
            found.append(Route("/api/neighbours", "POST", summary, self._neighbours))
        if self._exhibits.music is not None:
            found += [
                Route("/api/question", "POST", "What a model of music is asked about a tune in ABC", self._question),
                Route("/api/music", "POST", "The music of an answer", self._music),
            ]
        return found

    def _of_labels(self) -> list[Route]:
        return [
            Route("/api/label", "POST", "One text: its labels, and what each token has to do with them", self._label),
            Route("/api/states", "POST", "Hidden states and gates of one text, step by step", self._label_states),
        ]

    def _of_series(self) -> list[Route]:
        return [Route("/api/forecast", "POST", "A forecast from a row on, over what came", self._forecast)]

    async def _about(self, _: Fields) -> dict[str, Any]:
        return about(self._exhibits)

    async def _looking(self, fields: Fields, look: Callable[[int, Look, Ticket], dict[str, Any]]) -> dict[str, Any]:
        """Answers what is asked about one sentence."""
        slot, number, asked = _slot(fields), _checkpoint(fields), Look.of_fields(fields)
        fields.end()
        return await self._worker.run(slot, lambda ticket: look(number, asked, ticket))

    async def _look(self, fields: Fields) -> dict[str, Any]:
        return await self._looking(fields, lambda number, asked, ticket: self._translation(number).look(asked, ticket))

    async def _states(self, fields: Fields) -> dict[str, Any]:
        return await self._looking(
            fields, lambda number, asked, ticket: translation_states(self._translation(number), asked, ticket)
        )

    async def _training(self, fields: Fields) -> dict[str, Any]:
        return await self._looking(fields, partial(through_training, self._exhibits))

    async def _neighbours(self, fields: Fields) -> dict[str, Any]:
        step, count = fields.whole("step", 0, 0, MOST_TOKENS), fields.whole("count", 8, 1, 50)
        return await self._looking(
            fields, lambda number, asked, ticket: nearest(self._exhibits, number, asked, ticket, step, count)
        )

    async def _question(self, fields: Fields) -> dict[str, Any]:
        music = fields.text("music", longest=LONGEST_MUSIC)
        fields.end()
        return self._task().question(music)

    async def _music(self, fields: Fields) -> dict[str, Any]:
        music = fields.text("music", longest=LONGEST_MUSIC)
        symbols = fields.texts("symbols", MOST_TOKENS, 100)
        fields.end()
        return self._task().answer(music, symbols)

    async def _label(self, fields: Fields) -> dict[str, Any]:
        slot, number, text = _slot(fields), _checkpoint(fields), fields.text("source", longest=LONGEST_SOURCE)
        fields.end()
        return await self._worker.run(slot, lambda ticket: self._labels(number).look(text, ticket))

    async def _label_states(self, fields: Fields) -> dict[str, Any]:
        slot, number, text = _slot(fields), _checkpoint(fields), fields.text("source", longest=LONGEST_SOURCE)
        fields.end()
        return await self._worker.run(slot, lambda _: self._labels(number).states(text))

    async def _forecast(self, fields: Fields) -> dict[str, Any]:
        slot, number, row = _slot(fields), _checkpoint(fields), fields.whole("row", 0, 0, 2**31 - 1)
        fields.end()
        return await self._worker.run(slot, lambda _: self._exhibits.view(number, SeriesView).look(row))

    def _translation(self, number: int) -> TranslationView:
        return self._exhibits.view(number, TranslationView)

    def _labels(self, number: int) -> LabelView:
        return self._exhibits.view(number, LabelView)

    def _task(self) -> MusicView:
        assert self._exhibits.music is not None
        return self._exhibits.music


def about(exhibits: Exhibits) -> dict[str, Any]:
    """What a page has to know before it asks anything.

    Args:
        exhibits: The checkpoints.
    """
    told: dict[str, Any] = {
        "kind": exhibits.kind,
        "checkpoints": exhibits.told(),
        "compare": exhibits.compared,
        "heads": 0,
    }
    if exhibits.kind == "series":
        view = exhibits.view(0, SeriesView)
        low, high = view.bounds
        return told | {"first_row": low, "last_row": high, "file": view.table.place}
    if exhibits.kind == "labels":
        return told
    model = exhibits.view(0, TranslationView).translator.members[0]
    heads = 1 if isinstance(model, MonotonicTransducer) else model.decoder.heads
    return told | {
        "heads": heads,
        "head_names": head_names(model, heads),
        "corpus": exhibits.corpus is not None,
        "music": exhibits.music is not None,
        "training": bool(exhibits.of_training()),
    }


@torch.inference_mode()
def through_training(exhibits: Exhibits, number: int, asked: Look, ticket: Ticket) -> dict[str, Any]:
    """One sentence, and the target that one checkpoint writes, at each epoch of the training.

    Args:
        exhibits: The checkpoints.
        number: Of the checkpoint whose hypothesis is the target.
        asked: The sentence, and how.
        ticket: Ends the computation when nobody waits for it.
    """
    ids = exhibits.view(number, TranslationView).find(asked, ticket).chosen.ids
    epochs = [
        {"name": exhibits.all[each].name, **epoch(exhibits.view(each, TranslationView), asked, ids, ticket)}
        for each in exhibits.of_training()
    ]
    return {"epochs": epochs}


@torch.inference_mode()
def nearest(exhibits: Exhibits, number: int, asked: Look, ticket: Ticket, step: int, count: int) -> dict[str, Any]:
    """The tokens of the corpus with the closest states to that of one step.

    Args:
        exhibits: The checkpoints.
        number: Of the checkpoint.
        asked: The sentence, and how.
        ticket: Ends the computation when nobody waits for it.
        step: Which token of the hypothesis; behind its end, the end.
        count: How many.
    """
    view = exhibits.view(number, TranslationView)
    index = exhibits.index(number)
    found = view.find(asked, ticket)
    seen = trace(found.model, found.sentence.source, found.chosen.ids)
    states = decoder_outputs(view.model(asked), seen, found.chosen.ids)
    state = states[min(step, len(states) - 1)].float().cpu().numpy()
    return {"states": len(index), "neighbours": index.nearest(state, count)}


def _slot(fields: Fields) -> str | None:
    """Where a newer request takes the place of an older one: what a page names itself and its pictures."""
    return fields.text("slot", "", longest=80) or None


def _checkpoint(fields: Fields) -> int:
    return fields.whole("checkpoint", 0, 0, MOST_CHECKPOINTS)
