"""The results of a study for Python: a mapping for each run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.studies.results import COLUMNS, FILE_NAME, Results

if TYPE_CHECKING:
    from pandas import DataFrame

Cell = str | int | float | None

_WHOLE_NUMBERS = ("seed", "updates", "parameters")
_NUMBERS = ("seconds",)


class StudyRows(list[dict[str, Cell]]):
    """The rows of a study, in the order of ``results.csv``."""

    def frame(self) -> DataFrame:
        """The same as a DataFrame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ModuleNotFoundError as error:
            raise UserError("a DataFrame needs pandas, which is not installed: pip install pandas") from error
        return DataFrame(list(self))


def read_rows(path: Path) -> StudyRows:
    """Reads the rows of a study.

    Args:
        path: The directory of the study, or its ``results.csv``.

    Raises:
        UserError: There are no results, or the file is none of a study.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        inner = sorted(str(each.parent) for each in path.glob(f"*/{FILE_NAME}"))
        hint = f"give {' or '.join(inner)}" if inner else "give the directory of a study that has run"
        raise UserError(f"there are no results of a study in {path}: {hint}")
    try:
        return StudyRows({name: _cell(name, text) for name, text in row.items()} for row in Results(file).rows())
    except ValueError as error:
        raise UserError(f"{file} is not the results of a study: {error}") from error


def _cell(name: str, text: str) -> Cell:
    """What a cell of the file says; the columns that are not of every study are metrics."""
    if not text:
        return None
    if name in _WHOLE_NUMBERS:
        return int(text)
    return float(text) if name in _NUMBERS or name not in COLUMNS else text
