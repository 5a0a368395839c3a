"""What tables have in common that pyarrow reads."""

from __future__ import annotations

from abc import ABC, abstractmethod

from datamodules.formats.columns import Columns


class ArrowTable(ABC):
    """A table whose columns have names, and whose rows are no lines of a file.

    Attributes:
        columns: ``{source: NAME, target: NAME}``: names of columns, of one within another as ``translation.en``.
    """

    columns: dict[str, str]

    @property
    @abstractmethod
    def place(self) -> str:
        """The file or directory, as it was given."""

    @property
    def chosen(self) -> Columns:
        """The columns that are read.

        Raises:
            UserError: They cannot be.
        """
        return Columns.of(self.columns, self.place)

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return False

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the files, which rows it has."""
        return {"columns": self.columns}
