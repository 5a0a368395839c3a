"""``seqlab benchmark data``: corpora made of a small one, prepared and loaded."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from unittest import mock

import pytest

from datamodules.corpora.corpus import TextFiles
from datamodules.errors import RunFailed
from experiments.benchmarks import data
from experiments.benchmarks.data import data_module, in_process, repeated
from experiments.benchmarks.data_probe import probe, train
from experiments.benchmarks.growth import recipe_model
from experiments.cli import main


@pytest.fixture
def small(tmp_path: Path) -> TextFiles:
    """Sixty pairs."""
    text = TextFiles(str(tmp_path / "small.en"), str(tmp_path / "small.de"))
    for path, word in ((text.source, "tree"), (text.target, "Baum")):
        Path(path).write_text("".join(f"{word} {number} is {number % 7}\n" for number in range(60)))
    return text


def test_a_corpus_that_is_repeated_has_no_line_twice(small: TextFiles) -> None:
    pairs = list(islice(repeated(small), 600))
    assert pairs[:60] == list(small.pairs())
    assert pairs[63] == ("3 is 3 tree 1", "3 is 3 Baum 1")
    assert len(set(pairs)) == len({source for source, _ in pairs}) == 600


def test_sizes_are_measured_and_reported(
    small: TextFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: the next test starts one."""
    monkeypatch.setattr(data, "in_process", probe)
    report = tmp_path / "data.json"
    words = ["--source", small.source, "--target", small.target, "--pairs", "60", "150", "--vocabulary_size", "40"]
    words += ["--batch_size", "8", "--batches", "5", "--steps", "2", "--rounds", "1", "--output", str(report)]
    assert main(["benchmark", "data", *words, "--others", "100"]) == 0
    rounds = json.loads(report.read_text())["rounds"]
    assert list(rounds) == ["60 pairs", "150 pairs"]
    for (figures,) in rounds.values():
        assert figures["pairs_per_second"] > 0
        assert figures["second_start_seconds"] > 0
        assert figures["target_tokens_per_second"] > figures["batches_per_second"] > 0
        assert figures["trained_tokens_per_second"] > 0
        if sys.platform == "linux":
            assert abs(figures["private_memory_after_mib"] - figures["private_memory_before_mib"]) < 100
    assert "150 pairs" in capsys.readouterr().out


def test_an_epoch_of_one_batch_tells_no_speed_of_training(small: TextFiles, tmp_path: Path) -> None:
    data = data_module(small, 40, 64, tmp_path / "cache")
    assert train(data, steps=2) == {}


def test_training_takes_the_vocabulary_of_the_tokenizer(small: TextFiles, tmp_path: Path) -> None:
    with mock.patch("experiments.benchmarks.data_probe.recipe_model", side_effect=recipe_model) as made:
        train(data_module(small, 40, 8, tmp_path / "cache"), steps=1)
    assert made.call_args.kwargs == {"vocabulary_size": 40}


def test_what_a_process_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"^cannot load the corpus: .*tokenizer\.pt"):
        in_process(["load", "a", "b", str(tmp_path), str(tmp_path / "tokenizer.pt"), "40", "8", "5", "2"])


def test_a_corpus_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "a.txt"
    corpus.write_text("one\n")
    words = ["--source", corpus, "--target", corpus, "--output", corpus]
    assert main(["benchmark", "data", *map(str, words)]) == 2
    assert f"--output {corpus} is also --target" in capsys.readouterr().err
    assert corpus.read_text() == "one\n"


def test_a_corpus_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "data", "--source", "nowhere.en", "--target", "nowhere.de"]) == 2
    assert "no file" in capsys.readouterr().err
