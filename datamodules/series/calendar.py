"""The calendar as numbers: what is known of every time beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from datamodules.series.times import steps_after

CalendarFeature = Literal["hour", "weekday", "yearday"]
"""A cycle: the time of the day, of the week, of the year; each is a point on a circle."""

_DAY = 86_400.0
_LENGTHS = {"hour": _DAY, "weekday": 7 * _DAY, "yearday": 365.2425 * _DAY}
_MONDAY = datetime(2001, 1, 1)
"""A Monday, and the first day of a year."""


def calendar_values(
    features: Sequence[CalendarFeature], start: datetime, step: timedelta, first: int, rows: int
) -> np.ndarray:
    """Sine and cosine of where times stand in each cycle.

    Args:
        features: The cycles.
        start: Time of row 0, as clocks show it there.
        step: The time from one row to the next.
        first: The first row that is asked for.
        rows: How many.

    Returns:
        ``(rows, 2 * len(features))``, float64.
    """
    if features and isinstance(start.tzinfo, ZoneInfo):  # its clocks may be changed in between
        seconds = np.array([_seconds(steps_after(start, step, row)) for row in range(first, first + rows)])
    else:
        seconds = _seconds(start) + (first + np.arange(rows)) * step.total_seconds()
    angles = [2.0 * np.pi * np.mod(seconds / _LENGTHS[feature], 1.0) for feature in features]
    columns = [function(angle) for angle in angles for function in (np.sin, np.cos)]
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def _seconds(time: datetime) -> float:
    """How far the clocks have gone since a Monday at midnight."""
    return (time.replace(tzinfo=None) - _MONDAY).total_seconds()
