"""Texts with labels: classes by name, texts cut, labels kept, and what is wrong with them told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from datamodules.batch import LabelledBatch
from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.corpora.held_out import HeldOut
from datamodules.errors import UserError
from datamodules.formats.delimited import CsvFile
from datamodules.formats.forms import ParallelText
from datamodules.text_classification import TextClassificationDataModule
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.tokenizers.labels import LabelTokenizer

TEXTS = [("good one", "plus"), ("bad", "minus"), ("so so la la", "even"), ("", "plus"), ("fine", " plus ")]


def tsv(folder: Path, name: str, rows: list[tuple[str, str]]) -> TsvFile:
    (folder / name).write_text("".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return TsvFile(str(folder / name))


def module(folder: Path, train: ParallelText, val: ParallelText | None, **more: object) -> TextClassificationDataModule:
    settings = {"cache_directory": str(folder / "cache"), **more}
    return TextClassificationDataModule(train, val, WhitespaceTokenizer(), **settings)  # type: ignore[arg-type]


def batches(data: TextClassificationDataModule) -> list[LabelledBatch]:
    return list(data.val_dataloader())


def test_classes_follow_the_names_and_texts_are_cut(tmp_path: Path) -> None:
    data = module(tmp_path, tsv(tmp_path, "t.tsv", TEXTS), tsv(tmp_path, "v.tsv", TEXTS[::-1]), max_length=3)
    assert data.class_names == ["even", "minus", "plus"]
    assert data.class_count == 3
    (batch,) = batches(data)
    read = {
        text: (data.class_names[label], length)
        for text, label, length in zip(
            (data.sources("val")[index] for index in batch.index.tolist()),
            batch.label.tolist(),
            batch.source.lengths.tolist(),
            strict=True,
        )
    }
    assert read == {"good one": ("plus", 2), "bad": ("minus", 1), "so so la la": ("even", 3), "fine": ("plus", 1)}
    row = batch.source.values[batch.source.lengths.argmax()]
    assert data.source_tokenizer.decode(row.tolist()) == "so so la"
    assert data.numbers("val", list(range(4))) == [1, 3, 4, 5], "the empty text of line 2 has a line all the same"


def test_a_checkpoint_has_the_labels(tmp_path: Path) -> None:
    texts = tsv(tmp_path, "t.tsv", TEXTS)
    data = module(tmp_path, texts, texts, max_length=7)
    state = data.state_dict()
    assert state["max_length"] == 7
    fewer = tsv(tmp_path, "fewer.tsv", TEXTS[:2])
    other = module(tmp_path, fewer, fewer)
    assert other.class_names == ["minus", "plus"]
    other = module(tmp_path, fewer, fewer)
    other.load_state_dict(state)
    assert other.class_names == data.class_names
    assert batches(other)[0].label.tolist() in ([1, 2], [2, 1])


def test_a_text_and_its_label_may_stand_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "text.tsv.gz").write_bytes(gzip.compress(b"one text\tx\nanother\ty\n"))
    (tmp_path / "meta.tsv").write_text("p\tq\tred\np\tq\tblue\n")
    files = TextFiles(str(tmp_path / "text.tsv.gz"), str(tmp_path / "meta.tsv"), source_column=0, target_column=2)
    data = module(tmp_path, files, files)
    assert list(data.pairs("train")) == [("one text", "red"), ("another", "blue")]
    assert not list(data.remarks("train"))
    whole = TextFiles(str(tmp_path / "text.tsv.gz"), str(tmp_path / "meta.tsv"))
    assert data.content("train") != module(tmp_path, whole, whole).content("train")


def test_held_out_texts_are_another_part(tmp_path: Path) -> None:
    texts = tsv(tmp_path, "t.tsv", [(f"text {number}", "ab"[number % 2]) for number in range(400)])
    data = module(tmp_path, texts, None, split=HeldOut(val=0.2, test=0.2))
    parts = [set(data.sources(split)) for split in data.splits]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 400
    assert 50 < len(parts[1]) < 110


def test_a_label_that_is_held_out_alone_is_one_all_the_same(tmp_path: Path) -> None:
    rows = [(f"text {number}", str(number)) for number in range(40)]
    data = module(tmp_path, tsv(tmp_path, "t.tsv", rows), None, split=HeldOut(val=0.5, train=0.2))
    assert data.class_count == 40
    (batch,) = batches(data)
    texts = [data.sources("val")[index] for index in batch.index.tolist()]
    assert texts == [f"text {data.class_names[label]}" for label in batch.label.tolist()]


@pytest.mark.parametrize(("labels", "warned"), [("xxyy", False), ("xxyz", True)])
def test_labels_that_are_more_than_half_as_many_as_texts_are_told(
    labels: str, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = tsv(tmp_path, "t.tsv", [(f"text {number}", label) for number, label in enumerate(labels)])
    with caplog.at_level("INFO"):
        module(tmp_path, texts, texts).train_dataloader()
    assert ("3 labels for 4 texts: see whether the labels are the targets of" in caplog.text) == warned


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        (TEXTS, [("fine", "plus"), ("odd", "plsu")], r"v\.tsv, line 2: the label 'plsu' is none of the 3 .* 'plus'"),
        (TEXTS[:1], TEXTS[:1], "all training data have one label, 'plus'"),
    ],
)
def test_labels_that_cannot_be_learnt(
    train: list[tuple[str, str]], val: list[tuple[str, str]], message: str, tmp_path: Path
) -> None:
    data = module(tmp_path, tsv(tmp_path, "t.tsv", train), tsv(tmp_path, "v.tsv", val))
    for _ in range(2):  # and not only the first time
        with pytest.raises(UserError, match=message):
            data.val_dataloader()


def test_labels_that_a_checkpoint_lacks_are_told_or_given_a_class(tmp_path: Path) -> None:
    texts = tsv(tmp_path, "t.tsv", TEXTS)
    more = tsv(tmp_path, "more.tsv", [*TEXTS, ("odd", "apart"), ("odd", "plus")])
    data = module(tmp_path, more, texts)
    data.load_state_dict(module(tmp_path, texts, texts).state_dict())
    message = (
        r"more\.tsv, line 6: the label 'apart' is none of the 3 of the checkpoint: .*; add --extend_vocabulary, or"
    )
    with pytest.raises(UserError, match=message):
        data.train_dataloader()
    added = data.extend_vocabulary()
    assert [each.symbol for each in added["target"]] == ["apart"]
    assert data.class_names == ["even", "minus", "plus", "apart"]
    labels = sorted(int(label) for batch in data.train_dataloader() for label in batch.label)
    assert labels == [0, 1, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (2, r"t\.tsv, line 1: it has 2 columns between tabs, but column 2 is read"),
        (-1, r"data\.init_args\.train\.target_column is -1: columns are counted from 0"),
    ],
)
def test_columns_that_are_not_there(column: int, message: str, tmp_path: Path) -> None:
    text = tsv(tmp_path, "t.tsv", TEXTS).tsv
    files = TextFiles(text, text, source_column=0, target_column=column)
    with pytest.raises(UserError, match=message):
        list(module(tmp_path, files, files).pairs("train"))


def test_names_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    table = CsvFile(str(tmp_path / "t.csv"), {"source": "text", "target": "labl"})
    data = module(tmp_path, table, table)
    with pytest.raises(UserError, match=r"columns\.target is 'labl', which is no column: did you mean 'label'"):
        list(data.pairs("train"))


def test_labels_are_whole_lines() -> None:
    labels = LabelTokenizer()
    labels.train(["new york", " berlin ", "new york"])
    assert labels.symbols == ["berlin", "new york"]
    assert labels.decode(labels.encode("new york ")) == "new york"
    again = LabelTokenizer()
    again.load_state_dict(labels.state_dict())
    assert again.symbols == labels.symbols
