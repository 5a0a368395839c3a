"""Dialogues as lines of turns, and tables with a column before the source, are the same pairs; so are annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamodules.corpora.corpus import TsvFile
from datamodules.errors import UserError
from datamodules.excerpts import LastTurns
from datamodules.formats.delimited import CsvFile
from datamodules.formats.dialogues import DialogueFile
from datamodules.formats.forms import ParallelText
from datamodules.formats.json_lines import JsonLinesFile
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule

DIALOGUES = [
    [
        {"speaker": "system", "text": "Hello."},
        {"speaker": "user", "text": "A table\nfor two"},
        {"speaker": "system", "text": "When?", "acts": ["REQUEST time", "REQUEST city"], "values": []},
        {"speaker": "user", "text": "At 7"},
        {"speaker": "system", "text": "At 7, then.", "acts": "CONFIRM time = 7", "values": [["time", "7", "c"]]},
    ],
    [{"speaker": "user", "text": "Bye"}, {"speaker": "system", "text": "Bye"}],
]
ROWS = [
    ("REQUEST time ; REQUEST city", "<sys> Hello. <usr> A table for two", "When?", "[]"),
    (
        "CONFIRM time = 7",
        "<sys> Hello. <usr> A table for two <sys> When? <usr> At 7",
        "At 7, then.",
        '[["time", "7", "c"]]',
    ),
    ("", "<usr> Bye", "Bye", "[]"),
]


def write(path: Path, dialogues: list[Any]) -> str:
    path.write_text("\n\n".join(json.dumps({"turns": turns}) for turns in dialogues) + "\n")
    return str(path)


def test_each_turn_of_who_answers_is_a_row(tmp_path: Path) -> None:
    file = write(tmp_path / "d.jsonl", DIALOGUES)
    assert list(DialogueFile(file).rows()) == [(context, "", text) for _, context, text, _ in ROWS]
    with_acts = DialogueFile(file, before="acts")
    assert [row[0] for row in with_acts.rows()] == [f"{acts} {context}".strip() for acts, context, _, _ in ROWS]
    other = DialogueFile(file, markers={"system": "S:", "user": "U:"})
    assert next(other.rows()) == ("S: Hello.", "", "A table for two")


def tables(folder: Path) -> list[tuple[ParallelText, str | int]]:
    """The same pairs in every form that has further columns, and where the values stand."""
    tsv = "".join("\t".join(row) + "\n" for row in ROWS)
    (folder / "t.tsv").write_text(tsv)
    (folder / "t.csv").write_text(
        "acts,said,text,values\n"
        + "".join(",".join('"{}"'.format(cell.replace('"', '""')) for cell in row) + "\n" for row in ROWS)
    )
    keys = ("acts", "said", "text", "values")
    (folder / "t.jsonl").write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in ROWS))
    named = {"before": "acts", "source": "said", "target": "text"}
    dialogues = [*DIALOGUES[:1], [DIALOGUES[1][0], {**DIALOGUES[1][1], "values": []}]]
    return [
        (TsvFile(str(folder / "t.tsv"), {"before": 0, "source": 1, "target": 2}), 3),
        (CsvFile(str(folder / "t.csv"), dict(named)), "values"),
        (JsonLinesFile(str(folder / "t.jsonl"), dict(named)), "values"),
        (DialogueFile(write(folder / "d.jsonl", dialogues), before="acts"), "values"),
    ]


def test_every_form_has_the_same_pairs_and_annotations(tmp_path: Path) -> None:
    for number, (text, column) in enumerate(tables(tmp_path)):
        module = TranslationDataModule(
            train=text,
            val=text,
            tokenizer=WhitespaceTokenizer(),
            annotations={"values": column},
            max_length=9,
            cache_directory=str(tmp_path / f"cache{number}"),
        )
        assert list(module.pairs("val")) == [(f"{acts} {said}".strip(), text) for acts, said, text, _ in ROWS]
        assert module.annotation("val", "values") == [row[3] for row in ROWS]
        assert module.annotation("train", "values") == ["[]"]  # the others are too long
        with pytest.raises(
            UserError, match=r"'value', which data\.init_args\.annotations lacks: did you mean 'values'"
        ):
            module.annotation("val", "value")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"turn": []}', r"d\.jsonl, line 2: it has no 'turns': give \{\"turns\": "),
        ('{"turns": []}', "line 2: it has no 'turns'"),
        ('{"turns": ["Hello."]}', "line 2, turn 1: it is no object"),
        ('{"turns": [{"speaker": "usr", "text": "a"}]}', "line 2, turn 1: 'speaker' is 'usr': did you mean 'user'"),
        ('{"turns": [{"speaker": "user"}]}', "line 2, turn 1: 'text' is missing: give text"),
        ('{"turns": [{"speaker": "user", "text": {}}]}', "line 2, turn 1: 'text' is a dict"),
        ('{"turns": [{"speaker": "user", "text": " "}]}', "line 2, turn 1: 'text' is empty"),
        (
            '{"turns": [{"speaker": "user", "text": "\\ud83d"}]}',
            "line 2, turn 1: half a character .surrogate U.D83D",
        ),
        ('{"turns": [', "line 2: no JSON"),
    ],
)
def test_what_is_no_dialogue_is_told_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "d.jsonl").write_text(f"{json.dumps({'turns': DIALOGUES[1]})}\n{line}\n")
    with pytest.raises(UserError, match=message):
        list(DialogueFile(str(tmp_path / "d.jsonl")).rows())


def test_an_excerpt_that_does_not_know_the_markers_is_refused(tmp_path: Path) -> None:
    text = DialogueFile(write(tmp_path / "d.jsonl", DIALOGUES), markers={"user": "U:", "system": "S:"})

    def module(excerpt: LastTurns) -> TranslationDataModule:
        return TranslationDataModule(
            text, text, WhitespaceTokenizer(), excerpt=excerpt, cache_directory=str(tmp_path / "cache")
        )

    with pytest.raises(
        UserError, match=r"train\.markers open turns by U:, S:, but data.init_args.excerpt looks for <usr>"
    ):
        module(LastTurns(1))
    assert list(module(LastTurns(1, markers=["U:", "S:"])).sources("train")) == [
        "U: A table for two",
        "U: At 7",
        "U: Bye",
    ]


def test_an_annotation_that_is_no_column_is_told_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("en,de,values\na,b,c\n")
    text = CsvFile(str(tmp_path / "a.csv"), {"source": "en", "target": "de"})
    module = TranslationDataModule(
        text, text, WhitespaceTokenizer(), annotations={"v": "value", "n": 0}, cache_directory=str(tmp_path / "cache")
    )
    with pytest.raises(
        UserError, match=r"^data\.init_args\.annotations\.v: .*'value', which is no column: did you mean"
    ):
        module.annotation("val", "v")
    assert module.annotation("val", "n") == ["a"]


def test_lines_of_text_have_no_further_columns(tmp_path: Path) -> None:
    (tmp_path / "two.tsv").write_text("a\tb\n")
    text = TsvFile(str(tmp_path / "two.tsv"))
    module = TranslationDataModule(
        text, text, WhitespaceTokenizer(), annotations={"values": 1}, cache_directory=str(tmp_path / "cache")
    )
    with pytest.raises(UserError, match=r"two\.tsv has no further columns: give a table, and columns"):
        module.annotation("val", "values")
