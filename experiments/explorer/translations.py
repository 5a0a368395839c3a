"""Translations for programs: what waits is translated together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.checkpoints.translator import Translator, one_line
from experiments.explorer.fields import Fields
from experiments.explorer.numbers import numbers
from experiments.explorer.worker import Busy, Ticket, Worker
from lightning_modules.decoding.hypothesis import Hypothesis

Found = list[dict[str, Any]]
"""The hypotheses of a line, best first."""

BATCH = 64
"""Lines that are searched at once, those of like length."""

MOST_LINES = 256
"""Of one request, and of those that are translated together."""

LONGEST_LINE = 4000
"""Characters."""

MOST_WAITING_LINES = 16_384


@dataclass(frozen=True)
class Settings:
    """How lines are translated; lines of like settings go together.

    Attributes:
        beam_size: Prefixes kept; 1 is greedy.
        n_best: Hypotheses of each line.
        length_penalty: Larger values favour longer hypotheses.
    """

    beam_size: int
    n_best: int
    length_penalty: float


@dataclass(frozen=True)
class _Order:
    lines: list[str]
    settings: Settings
    done: asyncio.Future[list[Found]]


class TranslationQueue:
    """Translates what several programs ask for, in common batches.

    Args:
        worker: Computes.
        translator: Gives what translates.
    """

    def __init__(self, worker: Worker, translator: Callable[[], Translator]) -> None:
        self._worker = worker
        self._translator = translator
        self._orders: deque[_Order] = deque()
        self._working: asyncio.Task[None] | None = None

    def translate(self, fields: Fields) -> Coroutine[Any, Any, dict[str, Any]]:
        """Reads a request; what comes answers it.

        Args:
            fields: ``sources``, and the settings.

        Raises:
            UserError: A field is wrong, or a line cannot be translated.
            Busy: Too many lines are waiting.
        """
        lines = fields.texts("sources", MOST_LINES, LONGEST_LINE)
        settings = _settings(fields)
        fields.end()
        return self._answer(lines, settings)

    async def _answer(self, lines: list[str], settings: Settings) -> dict[str, Any]:
        if sum(len(order.lines) for order in self._orders) + len(lines) > MOST_WAITING_LINES:
            raise Busy
        order = _Order(lines, settings, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        if self._working is None or self._working.done():
            # A task of its own: whoever asked first may leave, and the others still wait.
            self._working = asyncio.create_task(self._work(self._next()))
        return {"translations": await order.done}

    async def _work(self, batch: list[_Order]) -> None:
        """Translates until nothing waits any more; what comes meanwhile goes into the next batch."""
        while batch:
            try:
                found = await self._worker.run(None, partial(self._translated, batch))
            except Exception as error:
                await self._alone(batch, error)
            else:
                _give(batch, found)
            for order in batch:
                self._orders.remove(order)
            batch = self._next()

    async def _alone(self, batch: list[_Order], error: Exception) -> None:
        """Answers each by itself where something was wrong with one of them."""
        for order in batch:
            if len(batch) == 1:
                _refuse(order, error)
                continue
            try:
                _give([order], await self._worker.run(None, partial(self._translated, [order])))
            except Exception as own:
                _refuse(order, own)

    def _next(self) -> list[_Order]:
        """The orders that are translated together: those like the first, up to :data:`MOST_LINES` lines."""
        batch: list[_Order] = []
        count = 0
        for order in self._orders:
            fits = not batch or count + len(order.lines) <= MOST_LINES
            if order.settings == self._orders[0].settings and fits:
                batch.append(order)
                count += len(order.lines)
        return batch

    def _translated(self, batch: list[_Order], _: Ticket) -> list[Found]:
        settings = batch[0].settings
        translator = self._translator()
        search = translator.beam_search(settings.beam_size, settings.n_best, settings.length_penalty)
        search.check_vocabulary(translator.target_tokenizer.vocabulary_size)
        lines = [one_line(line) for order in batch for line in order.lines]
        sources = [translator.encode(line) if line.strip() else [] for line in lines]
        found = translator.search_sorted(sources, search, BATCH)
        return [_told(translator, line, each) for line, each in zip(lines, found, strict=True)]


def _settings(fields: Fields) -> Settings:
    beam_size = fields.whole("beam_size", 5, 1, 32)
    return Settings(beam_size, fields.whole("n_best", 1, 1, beam_size), fields.number("length_penalty", 1.0, 0.0, 10.0))


def _give(batch: list[_Order], found: list[Found]) -> None:
    first = 0
    for order in batch:
        if not order.done.done():
            order.done.set_result(found[first : first + len(order.lines)])
        first += len(order.lines)


def _refuse(order: _Order, error: Exception) -> None:
    if not order.done.done():
        order.done.set_exception(error)


def _told(translator: Translator, line: str, found: Sequence[Hypothesis]) -> Found:
    """The hypotheses of a line as plain values; an empty line stays empty."""
    if not found:
        return [{"text": "", "score": 0.0, "log_probability": 0.0}]
    return [
        {
            "text": translator.text(each, line),
            "score": numbers(each.score),
            "log_probability": numbers(each.log_probability),
        }
        for each in found
    ]
