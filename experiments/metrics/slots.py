"""Whether a response says the values that it had to say."""

from __future__ import annotations

import json
from collections.abc import Sequence

from datamodules.errors import UserError
from experiments.metrics.measure import CorpusMetric, Example

_FORM = 'give a JSON list of [slot, value, flag], as [["city", "San Jose", "c"]]'


class SlotAccuracy(CorpusMetric):
    """The share of the values asked for that stand in the response word for word, 0 to 1; capitals do not matter.

    The values of a response stand in a further column of the data, a JSON list of ``[slot, value, flag]``; the setting
    ``annotations`` of the data names the column.

    Args:
        flag: Values with this flag alone count, and the name tells it, as ``slot_accuracy_c``; null for all.
        whole: Whether responses are counted, of those with values, that say all of them.
        annotation: The name of the column.
    """

    unit = "share of values"

    def __init__(self, flag: str | None = None, whole: bool = False, annotation: str = "values") -> None:
        self.flag = flag
        self.whole = whole
        self.annotation = annotation
        self.annotations = (annotation,)
        self.name = "_".join(filter(None, ("slot_accuracy", flag, "whole" if whole else None)))

    def of_example(self, hypothesis: str, example: Example) -> Sequence[float]:
        """Values that were found, and all of them; see :meth:`CorpusMetric.of_example`.

        Raises:
            UserError: The column has something else.
        """
        asked = [value.lower() for value, flag in self._values(example) if self.flag in (None, flag)]
        found = sum(value in hypothesis.lower() for value in asked)
        return (int(found == len(asked) > 0), int(bool(asked))) if self.whole else (found, len(asked))

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`CorpusMetric.value`; 1 where no value was asked for."""
        return sums[0] / sums[1] if sums[1] else 1.0

    def _values(self, example: Example) -> list[tuple[str, str]]:
        given = example.annotations[self.annotation]
        try:
            return [(str(value), str(flag)) for _, value, flag in json.loads(given or "[]")]
        except (ValueError, TypeError) as error:
            raise UserError(f"the column {self.annotation!r} has {given!r:.80}: {_FORM}") from error
