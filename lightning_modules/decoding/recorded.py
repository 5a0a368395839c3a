"""Beam search that keeps what it decided at each step."""

from __future__ import annotations

from lightning_modules.decoding.beam import BeamSearch, BeamStep


class BeamRecord:
    """A beam search for one call, whose steps can be looked at afterwards.

    A beam of 1 without a coverage penalty is greedy search, which compares nothing: it leaves no steps.

    Args:
        search: The search whose settings hold.

    Attributes:
        search: The same, which writes down its steps.
        steps: What was decided, the first step first.
    """

    def __init__(self, search: BeamSearch) -> None:
        self.steps: list[BeamStep] = []
        self.search: BeamSearch = _Recorded(search, self.steps)


class _Recorded(BeamSearch):
    def __init__(self, search: BeamSearch, steps: list[BeamStep]) -> None:
        super().__init__(**search.arguments())  # type: ignore[arg-type]  # of its type each
        self._steps = steps

    def _observe(self, step: BeamStep) -> None:
        self._steps.append(step)
