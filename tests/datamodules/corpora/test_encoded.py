"""Encoded corpora: what is read back is what was written, whatever the width of an id."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.batch import BOS, EOS, PAD, UNK
from datamodules.corpora.encoded import EncodedCorpus, Summary, encode_corpus
from datamodules.tokenizers import Tokenizer


class Numbers(Tokenizer):
    """Sentences are the ids themselves."""

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def vocabulary_size(self) -> int:
        return self._size

    def settings(self) -> dict[str, Any]:
        return {"size": self._size}

    def train(self, sentences: Iterable[str]) -> None: ...

    def encode(self, sentence: str) -> list[int]:
        return [int(word) for word in sentence.split()]

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(map(str, ids))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        return [str(id_) for id_ in ids]

    def trained_state(self) -> dict[str, str | bytes]:
        return {}

    def load_trained_state(self, state: Mapping[str, Any]) -> None: ...


PAIRS = [("4 5 65535", "6"), ("", "4"), ("7", "8 9 10 11"), ("5", " \u3000"), ("4 4 4 4 4", "5"), (" 12 ", "13")]


@pytest.mark.parametrize("size", [65_536, 70_000])
def test_what_is_read_is_what_was_written(tmp_path: Path, size: int) -> None:
    largest = size - 1
    pairs = [*PAIRS, (f"{largest}", f"4 {largest}")]
    encode_corpus(tmp_path, pairs, Numbers(size), Numbers(size), max_length=None)
    corpus = EncodedCorpus(tmp_path)
    kept = [pair for pair in pairs if pair[0].strip() and pair[1].strip()]
    assert len(corpus) == len(kept) == 5
    assert list(zip(corpus.sources, corpus.references, strict=True)) == kept
    assert corpus.lengths.tolist() == [[len(source.split()), len(target.split())] for source, target in kept]
    batch = corpus[[4, 0]]
    assert batch.index.tolist() == [4, 0]
    assert batch.source.values.tolist() == [[largest, EOS, PAD, PAD], [4, 5, 65535, EOS]]
    assert batch.target.values.tolist() == [[BOS, 4, largest, EOS], [BOS, 6, EOS, PAD]]
    assert batch.source.values.dtype == torch.long


def test_what_is_skipped_is_counted_with_its_first_line(tmp_path: Path) -> None:
    pairs = [*PAIRS, (f"{UNK} 4 {UNK}", f"{UNK} 4")]
    summary = encode_corpus(tmp_path, pairs, Numbers(65_536), Numbers(65_536), max_length=3)
    assert summary == Summary(
        kept=3,
        empty=2,
        too_long=2,
        first_empty=2,
        first_too_long=3,
        source_ids=65_536,
        target_ids=65_536,
        source_unknown=2 / 7,
        target_unknown=1 / 4,
    )
    assert list(EncodedCorpus(tmp_path).sources) == ["4 5 65535", " 12 ", "3 4 3"]


def test_texts_are_a_sequence(tmp_path: Path) -> None:
    encode_corpus(
        tmp_path, [("4", "ä 😀".translate({228: "5", 128512: "6"})), ("7", "8")], Numbers(9), Numbers(9), None
    )
    texts = EncodedCorpus(tmp_path).references
    assert texts[-1] == "8"
    assert texts[0:2] == ["5 6", "8"]
    with pytest.raises(IndexError):
        texts[2]


def test_a_worker_process_gets_the_directory_alone(tmp_path: Path) -> None:
    encode_corpus(tmp_path, [("4 " * 1000, "5")] * 100, Numbers(9), Numbers(9), None)
    corpus = EncodedCorpus(tmp_path)
    pickled = pickle.dumps(corpus)
    assert len(pickled) < 1000
    assert torch.equal(pickle.loads(pickled)[[3]].source.values, corpus[[3]].source.values)


def test_an_empty_share_of_a_batch(tmp_path: Path) -> None:
    encode_corpus(tmp_path, [("4", "5")], Numbers(9), Numbers(9), None)
    batch = EncodedCorpus(tmp_path)[[]]
    assert len(batch) == 0
    assert batch.target_input.values.shape == (0, 0)
