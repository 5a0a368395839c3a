"""Times of a series: read from cells, one row a step, without a gap; by clocks that change, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo, available_timezones

from datamodules.errors import UserError, suggest

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
    try:
        step = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    except OverflowError:  # longer than all time that there is
        step = timedelta()
    if not step:
        raise UserError(
            f"data.init_args.frequency is '{frequency}': give a number and one of {', '.join(_UNITS)}, as 15min or 1h"
        )
    return step


def time_zone_of(name: str) -> ZoneInfo:
    """The rules of a place's clocks.

    Args:
        name: As the IANA has it: ``Europe/Berlin``.

    Raises:
        UserError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no path below the zones; a folder of zones
        known = available_timezones()
        told = suggest(name, known, "those of the IANA, as Europe/Berlin") if known else "pip install tzdata"
        raise UserError(f"data.init_args.time_zone is '{name}', which is no time zone: {told}") from error


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
    except (ValueError, TypeError, OverflowError) as error:
        told = " ".join(cells)
        form = "YYYY-MM-DD HH:MM" if len(cells) == 1 else "year, month, day, hour ... as numbers"
        raise UserError(f"{place}: '{told}' is no time: give {form}") from error


def possible_times(read: datetime, zone: ZoneInfo | None, step: timedelta, place: str) -> list[datetime]:
    """What a time may mean where its clocks are in a zone.

    Args:
        read: As it was read.
        zone: The zone of the clocks; None takes times as they are.
        step: The time from one row to the next. Where it is whole days, the date alone matters.
        place: File and line, for errors.

    Returns:
        The time with its zone, the earlier first: two where the clocks were put back and showed it twice. One that was
        read with its offset from UTC is one.

    Raises:
        UserError: The clocks never showed it, since they were put forward.
    """
    if zone is None:
        return [read]
    if read.tzinfo is None and _is_by_date(step):
        return [read.replace(tzinfo=zone)]
    meant = [read] if read.tzinfo is not None else [read.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    try:
        shown = [instant.astimezone(zone) for instant in sorted({time.astimezone(UTC) for time in meant})]
    except OverflowError as error:  # within hours of the first or the last day that there is
        raise UserError(f"{place}: {read} is out of range for a time in {zone.key}: correct it") from error
    if read.tzinfo is not None:
        return shown
    if times := [time for time in shown if time.replace(tzinfo=None) == read]:
        return times
    raise UserError(
        f"{place}: there is no {read} in {zone.key}, whose clocks were put forward then: correct it, or leave "
        "data.init_args.time_zone out if the times are not of these clocks"
    )


def steps_after(start: datetime, step: timedelta, rows: int) -> datetime:
    """The time some steps later: so much time later, or, where a step is whole days, so many days by the date.

    Args:
        start: With a zone or without.
        step: The time from one row to the next.
        rows: How many steps; below 0 for earlier.
    """
    if start.tzinfo is None or _is_by_date(step):
        return start + rows * step
    return (start.astimezone(UTC) + rows * step).astimezone(start.tzinfo)


def between(first: datetime, second: datetime, step: timedelta) -> timedelta:
    """The time from one to another, in the sense of :func:`steps_after`; both with a zone, or none."""
    if first.tzinfo is None or _is_by_date(step):
        return second - first
    return second.astimezone(UTC) - first.astimezone(UTC)


def _is_by_date(step: timedelta) -> bool:
    """Whether a step is whole days, which are 23 or 25 hours long where clocks change."""
    return step % timedelta(days=1) == timedelta(0)


def following(before: Sequence[datetime], times: Sequence[datetime], step: timedelta, place: str) -> list[datetime]:
    """Of the times that a row may have those that follow the row before.

    Args:
        before: The times that the row before may have.
        times: Those of the row.
        step: What lies between two rows.
        place: File and line, for errors.

    Raises:
        UserError: Its time comes twice, is earlier, or leaves a gap, or one of both has a time zone.
    """
    if (before[0].tzinfo is None) != (times[0].tzinfo is None):
        raise UserError(f"{place}: {times[0]} and {before[0]} before it: give all times a zone, or none")
    if found := [time for time in times if any(between(earlier, time, step) == step for earlier in before)]:
        return found
    one, now = min(product(before, times), key=lambda pair: abs(between(pair[0], pair[1], step) - step))
    clocks = "" if now.tzinfo else ", or name data.init_args.time_zone if the clocks were changed"
    passed = between(one, now, step)
    if not passed:
        raise UserError(f"{place}: the time {now} comes twice: leave one of both rows out{clocks}")
    if passed < timedelta(0):
        raise UserError(f"{place}: {now} comes after {one}: sort the rows by time{clocks}")
    told = "a gap in time" if passed > step else "closer than a step"
    raise UserError(
        f"{place}: {now} comes after {one}, {told} (a step is {step}): add rows with missing values in between, "
        f"or set data.init_args.frequency{clocks}"
    )
