"""Times of a series: read from cells, one row a step, without a gap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from datamodules.errors import UserError

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FREQUENCY = re.compile(r"(\d+)\s*(s|min|h|d|w)")


def step_of(frequency: str) -> timedelta:
    """The time from one row to the next.

    Args:
        frequency: A number and a unit: ``15min``, ``1h``, ``1d``.

    Raises:
        UserError: It is none.
    """
    found = _FREQUENCY.fullmatch(frequency.strip())
    step = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not step:
        raise UserError(
            f"data.init_args.frequency is '{frequency}': give a number and one of {', '.join(_UNITS)}, as 15min or 1h"
        )
    return step


def read_time(cells: Sequence[str], place: str) -> datetime:
    """The time of a row.

    Args:
        cells: One in the form of ISO 8601; or year, month, day, and perhaps hour, minute and second, a number each.
        place: File and line, for errors.

    Raises:
        UserError: It is no time.
    """
    try:
        return datetime.fromisoformat(cells[0].strip()) if len(cells) == 1 else datetime(*map(int, cells))  # type: ignore[arg-type]  # as many as there are
    except (ValueError, TypeError) as error:
        told = " ".join(cells)
        form = "YYYY-MM-DD HH:MM" if len(cells) == 1 else "year, month, day, hour ... as numbers"
        raise UserError(f"{place}: '{told}' is no time: give {form}") from error


def check_step(before: datetime, now: datetime, step: timedelta, place: str) -> None:
    """Refuses a row that does not follow the one before.

    Args:
        before: Time of the row before.
        now: Time of the row.
        step: What lies between two rows.
        place: File and line, for errors.

    Raises:
        UserError: Its time comes twice, is earlier, or leaves a gap, or one of both has a time zone.
    """
    if (before.tzinfo is None) != (now.tzinfo is None):
        raise UserError(f"{place}: {now} and {before} before it: give all times a zone, or none")
    if now == before:
        raise UserError(f"{place}: the time {now} comes twice: leave one of both rows out")
    if now < before:
        raise UserError(f"{place}: {now} comes after {before}: sort the rows by time")
    if now - before != step:
        told = "a gap in time" if now - before > step else "closer than a step"
        raise UserError(
            f"{place}: {now} comes after {before}, {told} (a step is {step}): add rows with missing values in between, "
            "or set data.init_args.frequency"
        )
