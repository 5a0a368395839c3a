"""A small series in a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

START = datetime(2020, 2, 28, 22)


def write_series(path: Path, rows: int, columns: Sequence[str] = ("a", "b"), start: datetime = START) -> list[str]:
    """Writes a CSV of hours whose numbers differ from cell to cell; row 3 of column a is missing.

    Args:
        path: Where.
        rows: Hours.
        columns: Names.
        start: The first hour.

    Returns:
        Its lines, the header first.
    """
    lines = ["time," + ",".join(columns)]
    for row in range(rows):
        cells = [str(10 * row + 7 * number + row % 5) for number in range(len(columns))]
        if row == 3:
            cells[0] = "NA"
        lines.append(",".join([str(start + timedelta(hours=row)), *cells]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines
