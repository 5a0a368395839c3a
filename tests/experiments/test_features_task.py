"""Inflection from a file as people have it: columns, features and held-out pairs, through the real command line."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from datamodules.batch import EOS, UNK
from datamodules.corpora.features import FeatureTokenizer
from datamodules.errors import UserError
from datamodules.excerpts import LastWords
from datamodules.tokenizers import WhitespaceTokenizer, restore_tokenizer
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from tests.experiments.metrics_table import values
from tests.experiments.tiny_task import EXACT_MATCH, write_changed_config

CHANGES = {
    "model.init_args.decoder.init_args": {"cell": "gru", "hidden_size": 48, "input_feeding": False, "dropout": 0.0},
    "model.init_args.optimizer.init_args.lr": 0.01,
    "trainer.max_epochs": 8,
    "trainer.check_val_every_n_epoch": 4,
    "trainer.logger": "experiments.loggers.MetricsCSV",
    "trainer.callbacks": EXACT_MATCH,
}

ENDINGS = {"N|PL": "en", "N|SG": "e", "V|PL": "t", "V|SG": "st"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on lemmas of the letters N and V too, so that only a symbol of its own tells the feature."""
    place = tmp_path_factory.mktemp("endings")
    lemmas = ["".join(letters) for length in (1, 2, 3) for letters in itertools.product("NVabc", repeat=length)]
    rows = [
        f"{number}\t{tags}\t{lemma}\t{lemma}{ENDINGS[tags]}" for number, lemma in enumerate(lemmas) for tags in ENDINGS
    ]
    (place / "all.tsv").write_text("\n".join(["id\ttags\tlemma\tform", *rows]) + "\n")
    data = {
        "train": {"tsv": f"{place}/all.tsv", "columns": {"source": 2, "features": 1, "target": 3}, "header": True},
        "split": {"val": 0.1, "test": 0.1},
        "features": {"separator": "|"},
        "tokenizer": "datamodules.tokenizers.CharacterTokenizer",
        "target_tokenizer": "datamodules.tokenizers.CharacterTokenizer",
        "batch_size": 32,
        "cache_directory": f"{place}/cache",
    }
    config = write_changed_config(place, "endings", CHANGES | {"data.init_args": data})
    assert main(["fit", "--config", str(config)]) == 0
    return place


def translated(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], text: str, run: Path) -> list[str]:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode()), isatty=lambda: False))
    status = main(["translate", "--ckpt_path", str(run)])
    written = capfd.readouterr()
    return written.out.splitlines() if status == 0 else [str(status), *written.err.splitlines()]


def test_endings_follow_from_features_and_lemmas_that_were_held_out(folder: Path) -> None:
    assert max(values(folder / "runs" / "endings" / "1", "val/exact_match")) > 0.8


def test_a_checkpoint_alone_reads_lines_in_the_order_of_the_columns(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = folder / "runs" / "endings" / "1"
    moved = folder.with_name(f"{folder.name}_alone") / "best.ckpt"
    moved.parent.mkdir()
    moved.write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    lines = translated(monkeypatch, capfd, "N|PL\tNaV\nV|PL\tNaV\n\nV|SG\tbc\n", moved)
    assert [line[-2:] for line in lines] == ["en", "Vt", "", "st"]
    status, error = translated(monkeypatch, capfd, "N|PL\tNa\nNaV\n", moved)
    assert status == "2"
    assert error.endswith("standard input, line 2: 0 tabs: a line has features and source, with one tab between them")


def test_an_encoder_of_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is learnt as well, translates from the checkpoint alone, and a data module without features refuses it."""
    small = {"class_path": "RecurrentEncoder", "init_args": {"cell": "gru", "hidden_size": 24}}
    encoder = {"class_path": "EncoderWithFeatures", "init_args": {"encoder": small}}
    words = ["fit", "--config", str(folder / "endings.yaml"), f"--model.init_args.encoder={json.dumps(encoder)}"]
    assert main([*words, "--experiment", "apart", "--trainer.max_epochs", "12"]) == 0
    run = folder / "runs" / "apart" / "1"
    assert max(values(run, "val/exact_match")) > 0.8
    capfd.readouterr()
    lines = translated(monkeypatch, capfd, "N|PL\tNaV\nV|SG\tbc\nV|PL\tNaV\n", run)
    assert [line[-2:] for line in lines] == ["en", "st", "Vt"]
    assert (
        main([*words, "--data.init_args.features", "null", "--data.init_args.train.columns", "{source: 2, target: 3}"])
        == 2
    )
    assert "EncoderWithFeatures reads features, and the data have none" in capfd.readouterr().err


def test_a_translator_cuts_the_source_beside_its_features() -> None:
    tokenizer = FeatureTokenizer(WhitespaceTokenizer())
    tokenizer.train(["a b c d\tV;3 SG"])
    translator = Translator((), tokenizer, tokenizer.text, excerpt=LastWords(2))
    assert translator.encode("a b c d\tV;3 SG") == [*tokenizer.encode("c d\tV;3 SG"), EOS]
    assert translator.reading is not None
    assert translator.reading.cuts("a b c d\tV;3 SG")
    with pytest.raises(UserError, match="0 tabs: a line has source and features"):
        translator.encode("a b c d")


def test_new_letters_and_features_get_rows_and_the_others_keep_theirs(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "all.tsv").read_text().splitlines()[:400]
    (tmp_path / "new.tsv").write_text("\n".join([*lines, *["1\tN|DU\tüb\tübe"] * 5]) + "\n")
    words = [
        "fit", "--config", str(folder / "endings.yaml"), "--init_from", str(folder / "runs" / "endings" / "1"),
        "--extend_vocabulary", "--data.init_args.train.tsv", str(tmp_path / "new.tsv"), "--data.init_args.split",
        "{val: 0.1}", "--model.init_args.optimizer.init_args.lr", "0.0", "--trainer.max_epochs", "1",
        "--experiment", "extended",
    ]  # fmt: skip
    assert main(words) == 0
    (last,) = (folder / "runs" / "extended" / "1" / "checkpoints").glob("last.ckpt")
    (best,) = (folder / "runs" / "endings" / "1" / "checkpoints").glob("best.ckpt")
    before, after = (torch.load(path, weights_only=True) for path in (best, last))
    rows = []
    for checkpoint in (before, after):
        tokenizer = restore_tokenizer(checkpoint["TranslationDataModule"]["source_tokenizer"])
        weight = checkpoint["state_dict"]["source_embedding.weight"]
        assert tokenizer.vocabulary_size == len(weight)
        rows.append(torch.cat([weight[tokenizer.encode(line)] for line in ("N|PL\tNV", "V|SG\tabc")]))
    assert torch.equal(*rows)
    assert UNK not in tokenizer.encode("N|DU\tüb")


def test_the_held_out_pairs_are_tested_and_training_resumes_on_the_same(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = str(folder / "endings.yaml")
    with caplog.at_level("INFO"):
        assert main(["test", "--config", config]) == 0
    assert "pairs of " in caplog.text
    assert "are held out for it (" in caplog.text
    assert main(["fit", "--config", config, "--ckpt_path", "last", "--trainer.max_epochs", "9"]) == 0
    capfd.readouterr()
    resume = ["fit", "--config", config, "--ckpt_path", "last", "--trainer.max_epochs", "10"]
    assert main([*resume, "--data.init_args.split.val", "0.2"]) == 2
    assert "the train data is not that of --ckpt_path" in capfd.readouterr().err
    assert main([*resume, "--data.init_args.features.separator", ";"]) == 2
    assert '"separator": ";"' in (error := capfd.readouterr().err)
    assert 'but was {"separator": "|"' in error


def test_a_form_of_the_command_line_replaces_that_of_the_config(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "own.csv").write_text("form,tags,lemma\nabe,N|SG,ab\nNat,V|PL,Na\n")
    config = ["--config", str(folder / "endings.yaml")]
    columns = "{source: lemma, features: tags, target: form}"
    own = ["--data.init_args.test.csv", str(tmp_path / "own.csv"), "--data.init_args.test.columns", columns]
    with caplog.at_level("INFO"):
        assert main(["test", *config, *own]) == 0
    assert "test: 2 pairs kept" in caplog.text
    assert main(["test", *config, *own, "--data.init_args.test.columns.target", "lema"]) == 2
    assert "columns.target is 'lema', which is no column: did you mean 'lemma'?" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("{csv: all.csv, source: en, target: de}", "train: csv, source, target do not go together: give {source: ..."),
        (
            "{source: a.csv, target: a.csv}",
            "init_args.train: a.csv is a table, whose lines are no sentences: give {csv:",
        ),
        (
            "{tsv: a, columns: {source: 0, target: 0}}",
            "init_args.train: a: columns.source and columns.target are both 0",
        ),
        ("{tsv: a, columns: {source: 0, target: 1}}", "features is set, but data.init_args.train names no column of"),
        ("{tsv: a, columns: {source: 0, features: 1}}", "init_args.train: a: columns names no target"),
    ],
)
def test_what_is_wrong_with_a_form_is_one_line(
    folder: Path, train: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["fit", "--config", str(folder / "endings.yaml"), "--data.init_args.train", train]) == 2
    (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("seqlab: error: "))
    assert message in line


def test_what_is_wrong_is_told_by_feature(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = folder / "runs" / "endings" / "1"
    callbacks = [*EXACT_MATCH, {"class_path": "PredictionWriter"}, {"class_path": "FeatureScores"}]
    words = ["--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints" / "best.ckpt")]
    words += [f"--trainer.callbacks={json.dumps(callbacks)}"]
    assert main(["test", *words]) == 0
    assert main(["predict", *words]) == 0
    capfd.readouterr()
    with (run / "feature_scores.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["feature"] for row in rows} == {"N", "V", "PL", "SG"}
    errors = [int(row["sentences"]) - int(row["right"]) for row in rows]
    assert errors == sorted(errors, reverse=True)
    counts = Counter[tuple[str, bool]]()
    with (run / "predictions.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            tags, lemma = row["source"].split("\\t")  # a tab within a text is two letters there
            for tag in tags.split("|"):
                counts[tag, row["hypothesis"] == lemma + ENDINGS[tags]] += 1
    for row in rows:
        assert int(row["right"]) == counts[row["feature"], True]
        assert int(row["sentences"]) == counts[row["feature"], True] + counts[row["feature"], False]
        assert float(row["share_right"]) == pytest.approx(int(row["right"]) / int(row["sentences"]), abs=1e-4)
    assert list((run / "figures").glob("test-feature_scores-*.png"))
