"""Pictures that are made, but written without what is in them: to draw them takes a third of a tiny training."""

from os import PathLike
from typing import IO, Any
from unittest.mock import patch

from matplotlib.figure import Figure

_drawn = Figure.savefig
_blank = Figure(figsize=(0.1, 0.1))


def _written_blank(
    figure: Figure,
    file: str | PathLike[str] | IO[Any],
    **options: Any,  # noqa: ANN401 - matplotlib's
) -> None:
    _drawn(_blank, file, **options)


blank_pictures = patch.object(Figure, "savefig", _written_blank)
"""Between its ``start`` and its ``stop`` pictures are blank."""
