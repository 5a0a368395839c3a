"""Translation from files: configured like a user does, by YAML, command line and Python."""

from __future__ import annotations

import gzip
import itertools
import os
import time
from pathlib import Path

import lightning as L
import pytest
from lightning.pytorch.cli import LightningArgumentParser

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.errors import UserError
from datamodules.formats.delimited import CsvFile
from datamodules.tokenizers import CharacterTokenizer, SentencePieceTokenizer, WhitespaceTokenizer
from datamodules.translation import TranslationDataModule

MULTI30K = Path(os.environ.get("SEQLAB_DATA") or "data") / "multi30k"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A directory with a small corpus in all formats."""
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"one cat\ntwo cats\nthree cats\n"))
    (tmp_path / "train.de").write_text("eine Katze\nzwei Katzen\ndrei Katzen\n")
    (tmp_path / "val.tsv").write_text("two\tzwei\none\teine\n")
    return tmp_path


def files(corpus: Path) -> TextFiles:
    return TextFiles(str(corpus / "train.en.gz"), str(corpus / "train.de"))


def test_files_of_all_formats_become_splits(corpus: Path) -> None:
    data = TranslationDataModule(
        files(corpus), TsvFile(str(corpus / "val.tsv")), WhitespaceTokenizer(), cache_directory=str(corpus / "cache")
    )
    assert list(data.sources("train")) == ["one cat", "two cats", "three cats"]
    assert list(data.references("train")) == ["eine Katze", "zwei Katzen", "drei Katzen"]
    assert list(data.pairs("val")) == [("two", "zwei"), ("one", "eine")]
    assert list(data.fingerprints()) == ["train", "val"]


def test_a_test_set_is_missed_only_when_it_is_asked_for(corpus: Path) -> None:
    val = TsvFile(str(corpus / "val.tsv"))
    data = TranslationDataModule(val, val, CharacterTokenizer(), cache_directory=str(corpus / "cache"))
    assert len(data.train_dataloader()) == 1
    with pytest.raises(UserError, match=r"there is no test data: set data\.init_args\.test"):
        data.test_dataloader()


def test_changed_files_are_read_again(corpus: Path) -> None:
    val = TsvFile(str(corpus / "val.tsv"))

    def sources() -> list[str]:
        data = TranslationDataModule(files(corpus), val, CharacterTokenizer(), cache_directory=str(corpus / "cache"))
        return list(data.sources("val"))

    assert sources() == ["two", "one"]
    (corpus / "val.tsv").write_text("six\tsechs\none\teine\n")
    assert sources() == ["six", "one"]


def test_a_broken_file_stops_the_start_and_leaves_no_cache(corpus: Path) -> None:
    (corpus / "train.de").write_text("eine Katze\nzwei Katzen\n")
    data = TranslationDataModule(
        files(corpus), files(corpus), WhitespaceTokenizer(), cache_directory=str(corpus / "cache")
    )
    with pytest.raises(UserError, match=r"train\.en\.gz has 3 lines, but .*train\.de has 2"):
        _ = data.source_vocabulary_size
    assert not [path for path in (corpus / "cache").iterdir() if path.is_dir() and path.name != "hashes"]


def test_hyperparameters_are_what_a_config_writes(corpus: Path) -> None:
    data = TranslationDataModule(files(corpus), TsvFile("val.tsv"), CharacterTokenizer(2), cache_directory=str(corpus))
    for hyperparameters in (data.hparams, data.hparams_initial):
        assert hyperparameters["train"] == {
            "source": f"{corpus}/train.en.gz",
            "target": f"{corpus}/train.de",
            "lines": None,
            "fold_spaces": False,
            "source_column": None,
            "target_column": None,
        }
        assert hyperparameters["val"] == {"tsv": "val.tsv", "columns": None, "header": False}
        assert hyperparameters["tokenizer"] == {
            "class_path": "datamodules.tokenizers.CharacterTokenizer",
            "init_args": {"min_frequency": 2},
        }


def parse(*arguments: str) -> TranslationDataModule:
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(L.LightningDataModule, "data", subclass_mode=True)
    return parser.instantiate(parser.parse_args(list(arguments))).data


def test_config_and_command_line_combine(corpus: Path) -> None:
    config = corpus / "config.yaml"
    config.write_text(
        f"""
        data:
          class_path: datamodules.translation.TranslationDataModule
          init_args:
            train: {{source: {corpus}/train.en.gz, target: nowhere}}
            val: {{tsv: {corpus}/val.tsv}}
            tokenizer: {{class_path: datamodules.tokenizers.CharacterTokenizer}}
            cache_directory: {corpus}/cache
        """
    )
    target, test = f"{corpus}/train.de", f"{corpus}/val.tsv"
    data = parse(f"--config={config}", f"--data.init_args.train.target={target}", f"--data.init_args.test.tsv={test}")
    assert list(data.references("train")) == ["eine Katze", "zwei Katzen", "drei Katzen"]
    assert list(data.sources("test")) == ["two", "one"]
    assert data.target_tokenizer.decode(data.target_tokenizer.encode("drei")) == "drei"
    assert data.hparams["test"] == {"tsv": test, "columns": None, "header": False}


def test_multi30k_is_prepared_once(tmp_path: Path) -> None:
    if not (MULTI30K / "train.en.gz").is_file():
        pytest.skip(f"no Multi30k in {MULTI30K}: fetch it, or set SEQLAB_DATA")

    def start() -> tuple[TranslationDataModule, float]:
        train, val = (TextFiles(f"{MULTI30K}/{name}.en.gz", f"{MULTI30K}/{name}.de.gz") for name in ("train", "val"))
        begin = time.perf_counter()
        data = TranslationDataModule(train, val, SentencePieceTokenizer(6000), cache_directory=str(tmp_path))
        data.train_dataloader()
        return data, time.perf_counter() - begin

    (first, slow), (second, fast) = start(), start()
    assert fast < slow / 5
    assert second.source_vocabulary_size == second.target_vocabulary_size == 6000
    indices = itertools.chain.from_iterable(batch.index.tolist() for batch in second.train_dataloader())
    assert sorted(indices) == list(range(29_000))
    for sentence in itertools.chain(first.sources("train")[::10], first.references("train")[::10]):
        assert first.source_tokenizer.decode(first.source_tokenizer.encode(sentence)) == sentence


def test_what_is_counted_in_a_table_with_a_header_is_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('en,de\n"one\ncat",eins\ntwo,zwei\n')
    table = CsvFile(str(tmp_path / "a.csv"), {"source": "en", "target": "de"})
    data = TranslationDataModule(table, table, WhitespaceTokenizer(), cache_directory=str(tmp_path / "cache"))
    assert data.named("train", "source") == (f"{tmp_path}/a.csv", "row")
    assert data.numbers("train", [1]) == [2], "which is line 4"
    assert data.where("train", 2) == "row 2"
