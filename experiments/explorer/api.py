"""The API: what each address takes, and who computes the answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from experiments.explorer.exhibits import Exhibits, Kind
from experiments.explorer.fields import Fields
from experiments.explorer.look import LONGEST_SOURCE, MOST_TOKENS, Look
from experiments.explorer.translations import TranslationQueue
from experiments.explorer.views.attention import decoder_outputs, head_names
from experiments.explorer.views.labels import LabelView
from experiments.explorer.views.music import MusicView
from experiments.explorer.views.series import SeriesView
from experiments.explorer.views.states import translation_states
from experiments.explorer.views.training import epoch
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Ticket, Worker
from lightning_modules.decoding.trace import trace
from lightning_modules.monotonic_transducer import MonotonicTransducer

Reply = Coroutine[Any, Any, dict[str, Any]]
"""Computes an answer."""

Answer = Callable[[Fields], Reply]
"""Reads the fields, and gives what computes."""

LONGEST_MUSIC = 20_000
"""Characters of ABC."""

MOST_CHECKPOINTS = 10_000

SMALLEST: dict[str, object] = {"source": "x", "sources": ["x"], "music": "x", "symbols": ["x"]}
"""What readers ask for that has no default."""

RESPONSES = {
    "200": {"description": "The answer"},
    "400": {"description": 'What is wrong with the request, as {"error": sentence}'},
    "403": {"description": "Asked from another page, or under another name"},
    "409": {"description": "A newer request of the same slot took the place of this one"},
    "413": {"description": "The request is too long"},
    "503": {"description": "Too many requests are waiting"},
}
"""Of all addresses; docs/explorer.md describes the answers."""


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
        exhibits = self._exhibits
        there = {
            "/api/training": bool(exhibits.of_training()),
            "/api/neighbours": exhibits.corpus is not None,
            "/api/question": exhibits.music is not None,
            "/api/music": exhibits.music is not None,
        }
        return [*self._of_all(), *(each for each in self.by_kind()[exhibits.kind] if there.get(each.path, True))]

    def by_kind(self) -> dict[Kind, list[Route]]:
        """The addresses that checkpoints of each kind may have, beside those of all."""
        queue = TranslationQueue(self._worker, lambda: self._translation(0).translator)
        states = "Hidden states and gates of one sentence or text, step by step"
        return {
            "translation": [
                Route("/api/look", "POST", "One sentence: hypotheses, attention, steps, beam", self._look),
                Route("/api/states", "POST", states, self._states),
                Route("/api/training", "POST", "One sentence at each epoch of the training", self._training),
                Route("/api/neighbours", "POST", "The closest decoder states in the corpus", self._neighbours),
                Route("/api/question", "POST", "What a model of music is asked about a tune in ABC", self._question),
                Route("/api/music", "POST", "The music of an answer", self._music),
                Route("/api/translate", "POST", "Many sentences, in batches, for programs", queue.translate),
            ],
            "labels": [
                Route(
                    "/api/label", "POST", "One text: its labels, and what each token has to do with them", self._label
                ),
                Route("/api/states", "POST", states, self._label_states),
            ],
            "series": [Route("/api/forecast", "POST", "A forecast from a row on, over what came", self._forecast)],
        }

    def every_route(self) -> list[Route]:
        """The addresses of all kinds."""
        return [*self._of_all(), *(route for routes in self.by_kind().values() for route in routes)]

    def _of_all(self) -> list[Route]:
        return [
            Route("/api/about", "GET", "The checkpoints, and what they are of", self._about),
            Route("/api/openapi.json", "GET", "This API, as OpenAPI describes it", lambda _: _known(document(self))),
        ]

    def _about(self, _: Fields) -> Reply:
        return _known(about(self._exhibits))

    def _looking(self, fields: Fields, look: Callable[[int, Look, Ticket], dict[str, Any]]) -> Reply:
        """Answers what is asked about one sentence."""
        slot, number, asked = _slot(fields), _checkpoint(fields), Look.of_fields(fields)
        fields.end()
        return self._worker.run(slot, lambda ticket: look(number, asked, ticket))

    def _look(self, fields: Fields) -> Reply:
        return self._looking(fields, lambda number, asked, ticket: self._translation(number).look(asked, ticket))

    def _states(self, fields: Fields) -> Reply:
        return self._looking(
            fields, lambda number, asked, ticket: translation_states(self._translation(number), asked, ticket)
        )

    def _training(self, fields: Fields) -> Reply:
        return self._looking(fields, partial(through_training, self._exhibits))

    def _neighbours(self, fields: Fields) -> Reply:
        step, count = fields.whole("step", 0, 0, MOST_TOKENS), fields.whole("count", 8, 1, 50)
        return self._looking(
            fields, lambda number, asked, ticket: nearest(self._exhibits, number, asked, ticket, step, count)
        )

    def _question(self, fields: Fields) -> Reply:
        music = fields.text("music", longest=LONGEST_MUSIC)
        fields.end()
        return self._worker.run(None, lambda _: self._task().question(music))

    def _music(self, fields: Fields) -> Reply:
        music = fields.text("music", longest=LONGEST_MUSIC)
        symbols = fields.texts("symbols", MOST_TOKENS, 100)
        fields.end()
        return self._worker.run(None, lambda _: self._task().answer(music, symbols))

    def _label(self, fields: Fields) -> Reply:
        slot, number, text = _slot(fields), _checkpoint(fields), fields.text("source", longest=LONGEST_SOURCE)
        fields.end()
        return self._worker.run(slot, lambda ticket: self._labels(number).look(text, ticket))

    def _label_states(self, fields: Fields) -> Reply:
        slot, number, text = _slot(fields), _checkpoint(fields), fields.text("source", longest=LONGEST_SOURCE)
        fields.end()
        return self._worker.run(slot, lambda _: self._labels(number).states(text))

    def _forecast(self, fields: Fields) -> Reply:
        slot, number, row = _slot(fields), _checkpoint(fields), fields.whole("row", 0, 0, 2**31 - 1)
        fields.end()
        return self._worker.run(slot, lambda _: self._exhibits.view(number, SeriesView).look(row))

    def _translation(self, number: int) -> TranslationView:
        return self._exhibits.view(number, TranslationView)

    def _labels(self, number: int) -> LabelView:
        return self._exhibits.view(number, LabelView)

    def _task(self) -> MusicView:
        assert self._exhibits.music is not None
        return self._exhibits.music


def document(api: Api) -> dict[str, Any]:
    """The API as OpenAPI 3.1 describes it: read off what its readers ask for.

    Args:
        api: Of any checkpoints.
    """
    by_path: dict[str, dict[str, Any]] = {}
    for route in api.every_route():
        told: dict[str, Any] = {"summary": route.summary, "responses": RESPONSES}
        if route.method == "POST":
            known = by_path.get(route.path, {}).get("post", {}).get("requestBody")
            told["requestBody"] = known or {"content": {"application/json": {"schema": _schema(route)}}}
        by_path.setdefault(route.path, {})[route.method.lower()] = told
    return {"openapi": "3.1.0", "info": {"title": "seqlab explore", "version": "1"}, "paths": by_path}


class _Asked(Fields):
    """Fields that are there whether they are asked for or not."""

    def end(self) -> None:
        """Nothing is too much."""


def _schema(route: Route) -> dict[str, Any]:
    fields = _Asked(dict(SMALLEST))
    route.answer(fields).close()
    required = [name for name, schema in fields.asked.items() if "default" not in schema]
    properties = dict(fields.asked)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


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


async def _known(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that takes no time."""
    return answer


def _slot(fields: Fields) -> str | None:
    """Where a newer request takes the place of an older one: what a page names itself and its pictures."""
    return fields.text("slot", "", longest=80) or None


def _checkpoint(fields: Fields) -> int:
    return fields.whole("checkpoint", 0, 0, MOST_CHECKPOINTS)
