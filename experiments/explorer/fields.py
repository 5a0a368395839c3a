"""The fields of a request: read by name, in bounds, and what is wrong told in one sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, TypeVar

from datamodules.errors import UserError, shortened, suggest

ChoiceT = TypeVar("ChoiceT", bound=str)


class Fields:
    """A JSON object of which each field is asked for once.

    Args:
        given: What was decoded.

    Attributes:
        asked: What each field that was asked for may be, as OpenAPI describes it.

    Raises:
        UserError: It is no object.
    """

    def __init__(self, given: object) -> None:
        if not isinstance(given, dict):
            raise UserError('the request is no JSON object: give one, as {"source": "..."}')
        self._given = given
        self.asked: dict[str, dict[str, Any]] = {}

    @classmethod
    def of_bytes(cls, body: bytes) -> Fields:
        """The fields of a request's body.

        Raises:
            UserError: It is no JSON, or no object.
        """
        try:
            return cls(json.loads(body))
        except (ValueError, RecursionError) as error:
            raise UserError(f"the request is no JSON: {shortened(str(error))}") from error

    def text(self, name: str, default: str | None = None, longest: int = 4000) -> str:
        """A string, without half of a surrogate pair and what no line has.

        Args:
            name: Of the field.
            default: Where it is left out; None if it may not be.
            longest: Characters, at most.
        """
        value = self._value(name, default, type="string", maxLength=longest)
        if not isinstance(value, str):
            raise UserError(f"{name} is no string: give one")
        if len(value) > longest:
            raise UserError(f"{name} has {len(value):,} characters: give at most {longest:,}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise UserError(f"{name} holds half of a surrogate pair, which is no text: decode it anew")
        return value

    def texts(self, name: str, most: int, longest: int) -> list[str]:
        """A list of strings, each as :meth:`text` has it.

        Args:
            name: Of the field.
            most: Strings, at most.
            longest: Characters of each, at most.
        """
        items = {"type": "string", "maxLength": longest}
        value = self._value(name, None, type="array", items=items, minItems=1, maxItems=most)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise UserError(f"{name} is no list of 1 to {most:,} strings: give one")
        return [Fields({name: each}).text(name, longest=longest) for each in value]

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from ``low`` to ``high``.

        Args:
            name: Of the field.
            default: Where it is left out.
            low: The least.
            high: The greatest.
        """
        value = self._value(name, default, type="number", minimum=low, maximum=high)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UserError(f"{name} is {_told(value)}: give a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``; see :meth:`number`."""
        value = self.number(name, default, low, high)
        if not value.is_integer():
            raise UserError(f"{name} is {value:g}: give a whole number from {low:,} to {high:,}")
        self.asked[name]["type"] = "integer"
        return int(value)

    def whole_or_none(self, name: str, low: int, high: int) -> int | None:
        """A whole number, or None where it is left out or null; see :meth:`whole`."""
        if self._given.get(name) is None:
            self.asked[name] = {"type": ["integer", "null"], "minimum": low, "maximum": high, "default": None}
            return None
        return self.whole(name, low, low, high)

    def wholes(self, name: str, most: int, high: int) -> list[int]:
        """A list of whole numbers from 0 to ``high``; an empty one where it is left out.

        Args:
            name: Of the field.
            most: How many, at most.
            high: The greatest.
        """
        items = {"type": "integer", "minimum": 0, "maximum": high}
        value = self._value(name, [], type="array", items=items, maxItems=most)
        if not isinstance(value, list) or len(value) > most:
            raise UserError(f"{name} is no list of at most {most:,} whole numbers: give one")
        return [Fields({name: each}).whole(name, 0, 0, high) for each in value]

    def choice(self, name: str, default: ChoiceT, known: Sequence[ChoiceT]) -> ChoiceT:
        """One of several words.

        Args:
            name: Of the field.
            default: Where it is left out.
            known: The words.
        """
        value = self._value(name, default, type="string", enum=list(known))
        for each in known:
            if value == each:
                return each
        raise UserError(f"{name} is {_told(value)}: {suggest(str(value), known)}")

    def end(self) -> None:
        """Refuses fields that nobody asked for.

        Raises:
            UserError: There is one.
        """
        unknown = [name for name in self._given if name not in self.asked]
        if unknown:
            raise UserError(f"unknown field {_told(unknown[0])}: {suggest(unknown[0], self.asked)}")

    def _value(self, name: str, default: object, **schema: object) -> object:
        self.asked[name] = schema if default is None else {**schema, "default": default}
        value = self._given.get(name, default)
        if value is None:
            raise UserError(f"the request has no {name}: give one")
        return value


def _told(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "no finite number"
    return shortened(json.dumps(value, ensure_ascii=False), 60)
