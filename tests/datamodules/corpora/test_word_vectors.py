"""Files of vectors, as word2vec, GloVe and fastText write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from datamodules.corpora.word_vectors import WordVectors
from datamodules.errors import UserError

ROWS = {"der": [0.5, -1.0, 2e-3], "ü": [1.0, 2.0, 3.0], ". . .": [4.0, 5.0, 6.0], "1/2": [7.0, 8.0, 9.0]}
SYMBOLS = {"ü": 4, "fehlt": 5, "der": 9, ". . .": 7}


def written(path: Path, lines: list[str]) -> str:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


@pytest.mark.parametrize("header", [[], ["4 3"]], ids=["GloVe", "word2vec"])
@pytest.mark.parametrize("name", ["vectors.vec", "vectors.txt.gz"])
@pytest.mark.parametrize("end", ["", " "])
def test_rows_of_the_symbols_that_the_file_has(header: list[str], name: str, end: str, tmp_path: Path) -> None:
    lines = [f"{symbol} {' '.join(map(str, row))}{end}" for symbol, row in ROWS.items()]
    vectors = WordVectors(written(tmp_path / name, [*header, *lines, "der 9 9 9"]))
    assert vectors.width == 3
    ids, rows = vectors.rows(SYMBOLS)
    assert rows.dtype == np.float32
    found = dict(zip(ids, rows.tolist(), strict=True))
    assert found.keys() == {4, 7, 9}
    for symbol, id_ in SYMBOLS.items():
        if symbol in ROWS:
            assert found[id_] == np.float32(ROWS[symbol]).tolist(), "of a symbol that comes twice the first row counts"


def test_none_of_the_symbols(tmp_path: Path) -> None:
    ids, rows = WordVectors(written(tmp_path / "v.txt", ["a 1 2"])).rows({"b": 4})
    assert ids == []
    assert rows.shape == (0, 2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["der 1 2 3", "die 1 2"], "v.txt, line 2: 2 numbers, but the lines before have 3"),
        (["2 3", "der 1 2 3", "das 1 2 3 4"], "v.txt, line 3: 4 numbers, but the lines before have 3"),
        (["der 1 2 3", "ü 1 zwei 3"], "v.txt, line 2: 'zwei' is no number"),
        (["der 1 2 3", "ü 1 nan 3"], "v.txt, line 2: 'nan' is no number"),
        (["der 1 2 3", "ü"], "v.txt, line 2: 0 numbers"),
        (["der"], "v.txt, line 1: no vector"),
    ],
)
def test_a_broken_file_is_told_with_its_line(lines: list[str], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "v.txt", lines)
    with pytest.raises(UserError) as caught:
        WordVectors(path).rows(SYMBOLS)
    assert message in str(caught.value)


def test_a_line_that_is_no_text_is_nobody_s(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"der 1 2\n\xff\xfe 3 4\n\xc3\xbc 5 6\n")
    ids, rows = WordVectors(str(path)).rows(SYMBOLS)
    assert dict(zip(ids, rows.tolist(), strict=True)) == {9: [1, 2], 4: [5, 6]}
