"""The API: what each address takes, and who computes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from experiments.explorer.exhibits import Exhibits
from experiments.explorer.fields import Fields
from experiments.explorer.look import Look
from experiments.explorer.translation_view import head_names
from experiments.explorer.translations import TranslationQueue
from experiments.explorer.worker import Ticket, Worker
from lightning_modules.monotonic_transducer import MonotonicTransducer

Answer = Callable[[Fields], Awaitable[dict[str, Any]]]


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
        self._queue = TranslationQueue(worker, exhibits.view(0).translator)

    def routes(self) -> list[Route]:
        """The addresses that these checkpoints have."""
        return [
            Route("/api/about", "GET", "The checkpoints, and what they are of", self._about),
            Route("/api/look", "POST", "One sentence: hypotheses, attention, steps, beam", self._look),
            Route("/api/translate", "POST", "Many sentences, in batches, for programs", self._queue.translate),
        ]

    async def _about(self, _: Fields) -> dict[str, Any]:
        return about(self._exhibits)

    async def _look(self, fields: Fields) -> dict[str, Any]:
        slot, number, asked = _slot(fields), fields.whole("checkpoint", 0, 0, 10_000), Look.of_fields(fields)
        fields.end()

        def compute(ticket: Ticket) -> dict[str, Any]:
            return self._exhibits.view(number).look(asked, ticket)

        return await self._worker.run(slot, compute)


def about(exhibits: Exhibits) -> dict[str, Any]:
    """What a page has to know before it asks anything.

    Args:
        exhibits: The checkpoints.
    """
    model = exhibits.view(0).translator.members[0]
    heads = 1 if isinstance(model, MonotonicTransducer) else model.decoder.heads
    return {
        "kind": exhibits.kind,
        "checkpoints": exhibits.told(),
        "model": type(model).__name__,
        "heads": heads,
        "head_names": head_names(model, heads),
        "compare": exhibits.compared,
        "parameters": sum(each.numel() for each in model.parameters()),
    }


def _slot(fields: Fields) -> str | None:
    """Where a newer request takes the place of an older one: what a page names itself and its pictures."""
    return fields.text("slot", "", longest=80) or None
