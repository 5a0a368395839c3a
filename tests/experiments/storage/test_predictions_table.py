"""Predictions come back as they were written, whatever is in a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.errors import UserError
from experiments.storage.predictions_table import escaped, read_predictions, restored, write_rows


@given(st.text())
def test_a_cell_is_the_text(text: str) -> None:
    cell = escaped(text)
    assert restored(cell) == text
    assert "\t" not in cell
    assert len(cell.splitlines()) <= 1


def test_a_table_is_read_by_its_header(tmp_path: Path) -> None:
    write_rows(tmp_path / "predictions.tsv", [["source", "line"], [escaped("a\tb\u2028c"), "3"]])
    assert read_predictions(tmp_path, ["line"]) == [{"source": "a\tb\u2028c", "line": "3"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"source\tscore\n", "has no column 'reference': did you mean|known"),
        (b"reference\tline\na\n", "line 2: it has 1 columns, but the header 2"),
        (b"", "it is empty"),
        (b"\xff\n", "cannot be read as text"),
    ],
)
def test_what_is_no_table(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_predictions(tmp_path / "p.tsv", ["reference"])
    with pytest.raises(UserError, match=r"gone\.tsv does not exist: write it by seqlab predict"):
        read_predictions(tmp_path / "gone.tsv", [])
