"""Tables by their columns: the same pairs in each form, and everything wrong is told with its line."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.errors import UserError
from datamodules.formats.cells import row_of
from datamodules.formats.columns import Column, Columns
from datamodules.formats.delimited import CsvFile
from datamodules.formats.forms import ParallelText, check_form, notices, place_of
from datamodules.formats.json_lines import JsonLinesFile
from datamodules.formats.parquet import ParquetFile

PAIRS = [("one cat", "eine Katze"), ('he said "no", twice', "er sagte; nein"), ("", ""), ("5", "fünf")]


def pairs(text: ParallelText) -> list[tuple[str, str]]:
    return [(source, target) for source, _, target in text.rows()]


def error_of(text: ParallelText) -> str:
    with pytest.raises(UserError) as error:
        list(text.rows())
    assert "\n" not in str(error.value)
    return str(error.value)


def write(path: Path, content: str) -> str:
    path.write_bytes(content.encode())
    return str(path)


def written(path: Path, rows: list[list[str]], **how: str) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **how).writerows(rows)
    return str(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_by_the_names_of_its_header(tmp_path: Path, delimiter: str) -> None:
    rows = [[str(number), target, source] for number, (source, target) in enumerate(PAIRS)]
    path = written(tmp_path / "a.csv", [["id", "german", "english"], *rows], delimiter=delimiter)
    assert pairs(CsvFile(path, {"source": "english", "target": "german"}, delimiter)) == PAIRS
    assert pairs(CsvFile(path, {"target": 1, "source": 2}, delimiter)) == PAIRS
    assert pairs(CsvFile(path, {"target": 1, "source": 2}, delimiter, header=False)) == [("english", "german"), *PAIRS]


def test_a_compressed_csv_with_a_byte_order_mark_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress('\ufeff"english" , german\r\none,eins\r\n'.encode().replace(b'" ,', b'",')))
    assert pairs(CsvFile(str(path), {"source": "english", "target": "german"})) == [("one", "eins")]


def test_line_ends_and_tabs_in_quotes_are_spaces_and_errors_after_them_name_the_line_of_the_file(
    tmp_path: Path,
) -> None:
    text = 'english,german\n"one\ncat","eine\r\nKatze"\n"two\tcats",zwei\nthree\n'
    path = write(tmp_path / "a.csv", text)
    table = CsvFile(path, {"source": "english", "target": "german"})
    assert f"{path}, line 6: it has 1 columns, but 2 are needed: the target is column 1" in error_of(table)
    (tmp_path / "a.csv").write_text(text.removesuffix("three\n"))
    assert pairs(table) == [("one cat", "eine Katze"), ("two cats", "zwei")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('en,de\na,b\n"c,d\ne,f\n', "line 3, read up to line 4: unexpected end of data; a quote has to be closed"),
        (
            f"en,de\na,b\n{'c' * 131_073},d\n",
            "line 3, read up to line 3: a cell has more than 131,072 characters: close",
        ),
        ('en,de\n"a,b\n' + "c,d\n" * 40_000, "line 2, read up to line 32770: a cell has more than 131,072 characters"),
        ('en,de\n"a"b,c\n', "line 2, read up to line 2: ',' expected after '\"'"),
        ("en,de\na,b\nc,d,e\n", "line 3: it has 3 columns, but the header 2: a cell that holds ','"),
        ("en,de\na,b\n\nc\n", "line 4: it has 1 columns, but 2 are needed"),
        ("english,de\na,b\n", "columns.source is 'en', which is no column: known: de, english"),
        ("enn,de\na,b\n", "columns.source is 'en', which is no column: did you mean 'enn'? known: de, enn"),
        ("en;de\na;b\n", "known: en;de; its columns seem to be parted by ';': set delimiter"),
        ("en,en,de\na,b,c\n", "columns.source is 'en', which the header has twice: give its number"),
        ("en,de\na\u2028,b\n", "line 2: a line separator (U+2028)"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_with_a_csv(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path / "a.csv", content)
    line = error_of(CsvFile(path, {"source": "en", "target": "de"}))
    assert line.startswith(path)
    assert message in line


@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(exclude_characters="\0\u2028\u2029", exclude_categories=["Cs"]))] * 2)
    )
)
def test_what_python_writes_as_csv_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = written(tmp_path_factory.mktemp("csv") / "a.csv", [["en", "de"], *map(list, rows)], quoting=csv.QUOTE_ALL)
    plain = [tuple(cell.replace("\r\n", " ").translate({9: 32, 10: 32, 13: 32}) for cell in row) for row in rows]
    assert pairs(CsvFile(path, {"source": "en", "target": "de"})) == plain


def test_a_tsv_gives_columns_in_any_order_by_number_or_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "id\tde\ten\n1\teins\tone\n2\tzwei\ttwo\n")
    expected = [("one", "eins"), ("two", "zwei")]
    assert pairs(TsvFile(path, {"source": "en", "target": "de"}, header=True)) == expected
    assert pairs(TsvFile(path, {"source": 2, "target": 1}, header=True)) == expected
    assert pairs(TsvFile(path, {"source": 2, "target": 1})) == [("en", "de"), *expected]
    assert list(TsvFile(path, {"target": 1, "source": 2, "features": 0}).rows())[1] == ("one", "1", "eins")
    two = write(tmp_path / "b.tsv", "de\ten\neins\tone\n")
    assert pairs(TsvFile(two, header=True)) == [("eins", "one")]


def test_a_number_that_is_a_name_of_the_header_is_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ",0,1\n7,one,eins\n")
    numbered = CsvFile(path, {"source": 0, "target": 1})
    assert pairs(numbered) == pairs(CsvFile(path, {"source": "0", "target": "1"})) == [("one", "eins")]
    assert list(notices(numbered)) == [
        f"{path}: columns.source is 0, which the header has as a name: read is the column of that name, number 1, and "
        "not number 0, ''",
        f"{path}: columns.target is 1, which the header has as a name: read is the column of that name, number 2, and "
        "not number 1, '0'",
    ]
    years = TsvFile(write(tmp_path / "a.tsv", "2019\t2020\none\teins\n"), {"source": 2019, "target": 1}, header=True)
    assert pairs(years) == [("one", "eins")]
    assert list(notices(years)) == []
    assert pairs(CsvFile(path, {"source": 1, "target": 2}, header=False)) == [("0", "1"), ("one", "eins")]


def test_a_number_and_a_name_of_one_column_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "en,de\none,eins\n")
    text = CsvFile(path, {"source": 1, "target": "de"})
    assert list(notices(text)) == [f"{path}: columns.source and columns.target are both column 1, 'de'"]


def test_a_line_of_a_tsv_that_lacks_a_column_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a\tb\tc\n\nd\te\n")
    message = error_of(TsvFile(path, {"source": 2, "target": 0}))
    assert message == (f"{path}, line 3: it has 2 columns, but 3 are needed: the source is column 2, counted from 0")
    assert "columns.source is 'en', but there is no header: set header: true" in error_of(
        TsvFile(path, {"source": "en", "target": 0})
    )
    assert "columns.target is 3, but the header has 3" in error_of(TsvFile(path, {"source": 0, "target": 3}, True))


def test_a_line_with_more_cells_than_the_first_is_told(tmp_path: Path) -> None:
    tsv = write(tmp_path / "a.tsv", "\na\tb\tc\na\tb\nd\te, f\tg\th\n")
    told = f"{tsv}, line 4: it has 4 columns, but the first line 3: a cell holds no tab; put a space in its place"
    assert error_of(TsvFile(tsv, {"source": 0, "target": 1})) == told
    assert error_of(TextFiles(tsv, tsv, source_column=0, target_column=1)) == told
    named = write(tmp_path / "b.tsv", "en\tde\na\tb\tc\n")
    assert f"{named}, line 2: it has 3 columns, but the header 2: " in error_of(
        TsvFile(named, {"source": "en", "target": "de"}, header=True)
    )
    plain = write(tmp_path / "a.csv", "a,b\nc,d, e\n")
    assert error_of(CsvFile(plain, {"source": 0, "target": 1}, header=False)) == (
        f"{plain}, line 2: it has 3 columns, but the first line 2: a cell that holds ',' has to stand in quotes"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"source": 0, "target": 0}, "columns.source and columns.target are both 0"),
        ({"source": 0, "target": 1, "features": 1}, "columns.target and columns.features are both 1"),
        ({"source": 0}, "columns names no target"),
        ({}, "columns names no source"),
        ({"source": 0, "taget": 1}, "columns has an unknown key 'taget': did you mean 'target'?"),
        ({"source": -1, "target": 1}, "columns.source is -1: columns are counted from 0"),
    ],
)
def test_columns_that_name_one_twice_or_none_are_refused_before_a_file_is_read(
    columns: dict[str, Column], message: str
) -> None:
    for text in (TsvFile("nowhere", columns), CsvFile("nowhere", columns)):
        with pytest.raises(UserError) as error:
            check_form(text, "data.init_args.val")
        assert str(error.value).startswith(f"data.init_args.val: nowhere: {message}")


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    with pytest.raises(UserError, match=r"delimiter is .*: give one character"):
        check_form(CsvFile("nowhere", {"source": 0, "target": 1}, delimiter), "train")


def records(path: Path, rows: list[Mapping[str, object] | None]) -> str:
    return write(path, "".join("\n" if row is None else json.dumps(row) + "\n" for row in rows))


def test_json_lines_are_read_by_their_keys_also_within_objects(tmp_path: Path) -> None:
    rows = [{"id": 1, "translation": {"en": source, "de": target}} for source, target in PAIRS]
    path = records(tmp_path / "a.jsonl", [*rows, None])
    text = JsonLinesFile(path, {"source": "translation.en", "target": "translation.de"})
    assert pairs(text) == [*PAIRS, ("", "")]
    path = records(tmp_path / "b.jsonl", [{"a.b": "x\ny", "n": 1}])
    assert pairs(JsonLinesFile(path, {"source": "a.b", "target": "n"})) == [("x y", "1")]
    (tmp_path / "c.jsonl").write_text('{"a": 1.50, "b": 10000000000000000000000}\n')
    numbers = JsonLinesFile(str(tmp_path / "c.jsonl"), {"source": "a", "target": "b"})
    assert pairs(numbers) == [("1.50", "10000000000000000000000")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"en": "a"', "line 2: no JSON (Expecting ',' delimiter at character 11)"),
        ('["a", "b"]', "line 2: a JSON list in place of an object"),
        ('{"en": "a", "dee": "b"}', "line 2: it has no 'de': did you mean 'dee'? known: dee, en"),
        ('{"en": "a", "de": null}', "line 2: 'de' is null: give text"),
        ('{"en": "a", "de": NaN}', "line 2: 'de' is null: give text"),
        ('{"en": ' * 10_000, "line 2: objects or lists within each other are too deep"),
        ('{"en": ["a"], "de": "b"}', "line 2: 'en' is list: give text"),
        (
            '{"en": "a\\ud83d", "de": "b"}',
            "line 2, 'en': half a character (surrogate U+D83D) at character 2; write the",
        ),
        ('{"en": "a\\u2029", "de": "b"}', "line 2, 'en': a paragraph separator (U+2029) at character 2"),
    ],
)
def test_what_is_wrong_with_json_lines(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "a.jsonl", f'{{"en": "x", "de": "y"}}\n{line}\n')
    told = error_of(JsonLinesFile(path, {"source": "en", "target": "de"}))
    assert told.startswith(f"{path}, ")
    assert message in told


def test_a_number_that_is_none_is_missing() -> None:
    record = {"en": "a", "de": float("nan")}
    with pytest.raises(UserError, match="row 7: 'de' is null: give text"):
        row_of(record, Columns("en", "de"), "row 7")


def test_parquet_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    sources, targets = zip(*PAIRS, strict=True)
    inner = [{"en": source, "de": target} for source, target in PAIRS]
    table = pyarrow.table({"number": [1, 2, 3, 4], "en": sources, "de": targets, "translation": inner})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    path = str(tmp_path / "a.parquet")
    assert pairs(ParquetFile(path, {"source": "en", "target": "de"})) == PAIRS
    assert pairs(ParquetFile(path, {"source": "translation.en", "target": "translation.de"})) == PAIRS
    assert pairs(ParquetFile(path, {"source": "number", "target": "de"}))[1] == ("2", PAIRS[1][1])
    assert "'enn' is no column: did you mean 'en'?" in error_of(ParquetFile(path, {"source": "enn", "target": "de"}))
    whole = (tmp_path / "a.parquet").read_bytes()
    for content in (whole[: len(whole) // 2], b"en,de\na,b\n", b""):
        (tmp_path / "a.parquet").write_bytes(content)
        assert f"{path} is no Parquet file, or a broken one" in error_of(
            ParquetFile(path, {"source": "en", "target": "de"})
        )
    missing = pyarrow.table({"en": ["a", "b"], "de": ["x", None]})
    parquet.write_table(missing, tmp_path / "a.parquet")
    assert f"{path}, row 2: 'de' is null" in error_of(ParquetFile(path, {"source": "en", "target": "de"}))


def test_parquet_needs_a_package_which_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", "PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'seqlab[parquet]'" in error_of(ParquetFile(path, {"source": "en", "target": "de"}))


def test_a_table_that_is_given_as_lines_of_text_is_told(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl.gz", "a.TSV"):
        with pytest.raises(UserError, match=r"train: .* is a table, whose lines are no sentences: give \{"):
            check_form(TextFiles(name, name), "train")
    with pytest.raises(UserError, match=r"give \{parquet: b\.parquet, columns"):
        check_form(TextFiles("a.en", "b.parquet"), "train")
    source, target = write(tmp_path / "a.csv", "a\n"), write(tmp_path / "a.txt", "b\n")
    check_form(TextFiles(source, target), "train")
    assert [f"{source} is read as lines of text" in line for line in notices(TextFiles(source, target))] == [True]
    assert [f"{target} is both source and target" in line for line in notices(TextFiles(target, target))] == [True]


def test_a_header_that_is_read_as_a_pair_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "English\tde\none\teins\n")
    (line,) = notices(TsvFile(path))
    assert line == f"{path}: the first line, 'English' and 'de', is read as a pair: set header: true"
    assert not list(notices(TsvFile(path, header=True)))
    table = written(tmp_path / "a.csv", [["source", "target"], ["one", "eins"]])
    assert len(list(notices(CsvFile(table, {"source": 0, "target": 1}, header=False)))) == 1
    assert not list(notices(CsvFile(table, {"source": 0, "target": 1})))


def test_quotes_that_are_left_in_a_tsv_are_told(tmp_path: Path) -> None:
    rows = [["one", "eins"]] * 9
    quoted = written(tmp_path / "a.tsv", [*rows, ['"no", he said', "nein"]], delimiter="\t")
    (line,) = notices(TsvFile(quoted))
    assert "the first in line 10" in line
    everywhere = write(tmp_path / "b.tsv", '"one"\t"eins"\n' * 3)
    assert len(list(notices(TsvFile(everywhere)))) == 1
    assert pairs(CsvFile(everywhere, {"source": 0, "target": 1}, "\t", header=False)) == [("one", "eins")] * 3
    speech = write(tmp_path / "c.tsv", "one\teins\n" * 9 + '"no"\t"nein"\n')
    assert not list(notices(TsvFile(speech)))


def test_places_name_lines_only_where_rows_are_lines() -> None:
    columns: dict[str, Column] = {"source": 0, "target": 1}
    assert place_of(TsvFile("a.tsv", columns), "3") == "lines 3 of a.tsv"
    assert place_of(TsvFile("a.tsv", columns, header=True), "3") == "rows 3 of a.tsv"
    assert place_of(CsvFile("a.csv", columns), "3") == "rows 3 of a.csv"
    assert place_of(TextFiles("a", "b"), "3") == "lines 3 of a and b"
