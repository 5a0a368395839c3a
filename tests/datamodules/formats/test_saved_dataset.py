"""Directories that Hugging Face's ``datasets`` saved: written here as it writes them, and read without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from datamodules.corpora.held_out import HeldOut
from datamodules.errors import UserError
from datamodules.formats.annotations import with_target
from datamodules.formats.forms import check_form, place_of
from datamodules.formats.saved_dataset import SavedDataset
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from experiments.cli import main
from tests.experiments.tiny_task import translate, write_tiny_task

IN_TRANSLATION = {"source": "translation.en", "target": "translation.de"}
PLAIN = {"source": "en", "target": "de"}


def pairs(text: SavedDataset) -> list[tuple[str, str]]:
    return [(source, target) for source, _, target in text.rows()]


def error_of(text: SavedDataset) -> str:
    with pytest.raises(UserError) as error:
        list(text.rows())
    assert "\n" not in str(error.value)
    return str(error.value)


def write_split(directory: Path, shards: Sequence[dict[str, list[Any]]], name: str | None = None) -> str:
    """One split, in some files."""
    pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'seqlab[parquet]'")
    directory.mkdir(parents=True)
    names = [f"data-{number:05}-of-{len(shards):05}.arrow" for number in range(len(shards))]
    for file, columns in zip(names, shards, strict=True):
        table = pyarrow.table(columns)
        with pyarrow.OSFile(str(directory / file), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table, max_chunksize=2)
    state = {"_data_files": [{"filename": file} for file in names], "_format_type": None, "_split": name}
    (directory / "state.json").write_text(json.dumps(state, indent=2))
    (directory / "dataset_info.json").write_text("{}")
    return str(directory)


def write_splits(directory: Path, **splits: Sequence[dict[str, list[Any]]]) -> str:
    """Several splits, each in some files."""
    for name, shards in splits.items():
        write_split(directory / name, shards)
    (directory / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return str(directory)


def test_a_split_is_read_by_its_columns_through_all_its_files(tmp_path: Path) -> None:
    shards = [{"en": ["one", "two\ncats", "three"], "n": [1, 2, 3], "de": ["eins", "zwei", "drei"]}]
    shards += [{"en": ["four"], "n": [4], "de": ["vier"]}]
    alone = SavedDataset(write_split(tmp_path / "a", shards, "train"), PLAIN)
    expected = [("one", "eins"), ("two cats", "zwei"), ("three", "drei"), ("four", "vier")]
    assert pairs(alone) == expected
    assert pairs(SavedDataset(alone.dataset, PLAIN, "train")) == expected
    assert pairs(SavedDataset(alone.dataset, {"source": "n", "target": "de"}))[3] == ("4", "vier")
    assert list(with_target(alone, "n").rows())[1] == ("two cats", "", "2")
    assert place_of(alone, "3") == f"rows 3 of {alone.dataset}"


def test_translations_are_a_column_with_a_name_for_each_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"en": "one", "de": "eins"}, {"en": "two", "de": "zwei"}]
    path = write_splits(tmp_path / "wmt", train=[{"translation": rows}], validation=[{"translation": rows[1:]}])
    assert pairs(SavedDataset(path, IN_TRANSLATION, "train")) == [("one", "eins"), ("two", "zwei")]
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    assert pairs(SavedDataset("wmt", IN_TRANSLATION, "validation")) == [("two", "zwei")]


def test_what_is_wrong_with_the_rows(tmp_path: Path) -> None:
    shards: list[dict[str, list[Any]]] = [{"en": ["a", "b"], "de": ["x", "y"]}, {"en": ["c"], "de": [None]}]
    path = write_split(tmp_path / "a", shards)
    assert error_of(SavedDataset(path, PLAIN)) == f"{path}, row 3: 'de' is null: give text, or a number"
    assert "'enn' is no column: did you mean 'en'?" in error_of(SavedDataset(path, {"source": "enn", "target": "de"}))
    broken = tmp_path / "a" / "data-00001-of-00002.arrow"
    for content in (broken.read_bytes()[:100], b"en,de\n", b""):
        broken.write_bytes(content)
        assert error_of(SavedDataset(path, PLAIN)).startswith(f"{broken} is no Arrow file, or a broken one (")
    broken.unlink()
    assert f"{broken} is missing, which" in error_of(SavedDataset(path, PLAIN))


def test_what_is_wrong_with_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    rows = {"en": ["a"], "de": ["x"]}
    write_splits(Path("a"), train=[rows], validation=[rows])
    assert error_of(SavedDataset("a", PLAIN)) == "a has several splits: give split, one of train, validation"
    assert "a has no split 'valdation': did you mean 'validation'?" in error_of(SavedDataset("a", PLAIN, "valdation"))
    assert "a/train is one split alone, and not called 'test'" in error_of(SavedDataset("a/train", PLAIN, "test"))
    assert error_of(SavedDataset("b", PLAIN)).startswith("no directory b or data/b: give what save_to_disk of datasets")
    assert error_of(SavedDataset("a/dataset_dict.json", PLAIN)).startswith("a/dataset_dict.json is a file: give the")
    Path("c").mkdir()
    assert "c has neither dataset_dict.json nor state.json" in error_of(SavedDataset("c", PLAIN))
    state = Path("a/train/state.json")
    for content, message in (
        ("{", "is no JSON of datasets, or a broken one"),
        ("[]", "is no JSON of datasets, or a broken one"),
        ("{}", "names no files"),
        ('{"_data_files": []}', "a/train is empty"),
        (
            '{"_data_files": [{"filename": "x"}], "_indices_data_files": [{"filename": "y"}]}',
            "load it and save it again",
        ),
    ):
        state.write_text(content)
        assert message in error_of(SavedDataset("a", PLAIN, "train"))
    with pytest.raises(UserError, match="train: a: columns names no target"):
        check_form(SavedDataset("a", {"source": "en"}), "train")


def test_it_needs_a_package_which_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.arrow").touch()
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'seqlab[parquet]'" in error_of(SavedDataset(str(tmp_path), PLAIN))


def test_a_wrong_directory_in_a_config_is_one_line(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_tiny_task(tmp_path, seed, train_size=20)
    words = ["--data.init_args.train.dataset", "nowhere", "--data.init_args.train.columns", json.dumps(PLAIN)]
    assert main(["fit", "--config", str(config), *words]) == 2
    assert "no directory nowhere or " in capsys.readouterr().err.splitlines()[-1]


def test_a_training_reads_it(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    sentences = ["eins zwei", "drei", "vier fünf sechs"] * 10
    rows = [{"de": sentence, "fr": translate(sentence)} for sentence in sentences]
    write_splits(Path("saved"), train=[{"translation": rows[:20]}, {"translation": rows[20:]}])
    config = write_tiny_task(tmp_path, seed, train_size=20)
    columns = {"source": "translation.de", "target": "translation.fr"}
    form = json.dumps({"dataset": "saved", "split": "train", "columns": columns})
    words = ["--data.init_args.train", form, "--trainer.max_epochs", "1"]
    assert main(["fit", "--config", str(config), *words]) == 0
    assert "train: 30 pairs kept" in caplog.text
    train, tokenizer = SavedDataset("saved", columns, "train"), WhitespaceTokenizer()
    data = TranslationDataModule(train, None, tokenizer, split=HeldOut(val=0.1))
    assert data.named("train", "source") == ("saved/train", "row")
