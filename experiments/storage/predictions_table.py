"""``predictions.tsv``: what a model predicts, with a header; how it is written, and its one reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from datamodules.errors import UserError, suggest
from experiments.storage.durable import durable_write

PREDICTIONS = "predictions.tsv"

_ESCAPES = str.maketrans(
    {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
    | {char: f"\\u{ord(char):04x}" for char in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
)
_ESCAPED = re.compile(r"\\(u[0-9a-f]{4}|.)")
_MEANT = {"t": "\t", "n": "\n", "r": "\r"}


def escaped(text: str) -> str:
    r"""A text as a cell: a tab, a backslash or a line break stands there as ``\t``, ``\\``, ``\n`` and the like."""
    return text.translate(_ESCAPES)


def restored(cell: str) -> str:
    """The text of a cell; undoes :func:`escaped`."""
    return _ESCAPED.sub(_meant, cell)


def _meant(found: re.Match[str]) -> str:
    sign = found[1]
    return chr(int(sign[1:], base=16)) if len(sign) > 1 else _MEANT.get(sign, sign)


def write_rows(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes a table, whole or not at all.

    Args:
        path: The file; its directory is made.
        rows: The cells of each line, the header first; none of them with a tab or a line break.

    Raises:
        RunFailed: The file cannot be written, for example on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.writelines(("\t".join(row) + "\n").encode() for row in rows)


def read_predictions(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table, each by the names of its header, its texts as they were predicted.

    Args:
        path: The file, or the directory of a run that has one.
        needed: Columns that it has to have.

    Raises:
        UserError: It cannot be read, lacks a column, or a line has not as many cells as the header.
    """
    file = path / PREDICTIONS if path.is_dir() else path
    try:
        lines = file.read_bytes().decode().splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist: write it by seqlab predict --config CONFIG --ckpt_path RUN") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as text ({error}): give a file that seqlab predict wrote") from error
    header = lines[0].split("\t") if lines else []
    for name in needed:
        if name not in header:
            hint = suggest(name, header) if header else "it is empty"
            raise UserError(
                f"{file} has no column {name!r}: {hint}; give predictions with references, of text or labels"
            )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            raise UserError(f"{file}, line {number}: it has {len(cells)} columns, but the header {len(header)}")
        rows.append(dict(zip(header, map(restored, cells), strict=True)))
    return rows
