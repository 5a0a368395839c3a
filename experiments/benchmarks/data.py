"""Corpora of any size made of a small one, and what seqlab's data module takes for each, in processes of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import torch

from datamodules.corpora.corpus import TextFiles
from datamodules.errors import RunFailed
from datamodules.tokenizers import SentencePieceTokenizer
from datamodules.translation import TranslationDataModule

TOKENIZER = "tokenizer.pt"


@dataclass(frozen=True)
class DataBenchmark:
    """Where everything of a measurement is.

    Attributes:
        directory: Gets the corpora, the tokenizer of the base corpus, and caches.
        base: The corpus that all others are made of.
        vocabulary_size: Number of pieces of the tokenizer.
        batch_size: Sentence pairs of a batch.
        batches: How many are loaded.
        steps: How many are trained on.
    """

    directory: Path
    base: TextFiles
    vocabulary_size: int
    batch_size: int
    batches: int
    steps: int

    def train_tokenizer(self) -> None:
        """Trains the tokenizer on the base corpus.

        Raises:
            UserError: The corpus is not there, or too small for the vocabulary.
        """
        data = data_module(self.base, self.vocabulary_size, self.batch_size, self.directory / "cache")
        torch.save(data.state_dict(), self.directory / TOKENIZER)

    def write_corpus(self, pairs: int) -> TextFiles:
        """Writes a corpus of so many pairs.

        Args:
            pairs: How many.

        Returns:
            Its files: the pairs of the base corpus, then the same again with their words rotated and a number, which
            makes every line a new one.
        """
        text = TextFiles(str(self.directory / f"{pairs}.source"), str(self.directory / f"{pairs}.target"))
        with (
            Path(text.source).open("w", encoding="utf-8") as sources,
            Path(text.target).open("w", encoding="utf-8") as targets,
        ):
            for source, target in islice(repeated(self.base), pairs):
                sources.write(f"{source}\n")
                targets.write(f"{target}\n")
        return text

    def measure(self, pairs: int) -> Mapping[str, float]:
        """Prepares a corpus of so many pairs, and trains on it, each in a process of its own; removes what it wrote.

        Args:
            pairs: How many.

        Returns:
            A value for each quantity.

        Raises:
            RunFailed: A process failed.
        """
        text, cache = self.write_corpus(pairs), self.directory / f"{pairs}.cache"
        try:
            words = [text.source, text.target, str(cache), str(self.directory / TOKENIZER)]
            words += [str(self.vocabulary_size), str(self.batch_size), str(self.batches), str(self.steps)]
            prepared, loaded = in_process(["prepare", *words]), in_process(["load", *words])
            return {**prepared, "pairs_per_second": pairs / prepared["prepare_seconds"], **loaded}
        finally:
            for path in (text.source, text.target):
                Path(path).unlink()
            shutil.rmtree(cache, ignore_errors=True)


def repeated(base: TextFiles) -> Iterator[tuple[str, str]]:
    """The pairs of a corpus without end, each time in another wording.

    Args:
        base: The corpus.

    Yields:
        A source and its target: first as they are, in the next pass with their first word at the end and "1", and so
        on.
    """
    for turn in count():
        for source, target in base.pairs():
            yield _turned(source, turn), _turned(target, turn)


def data_module(text: TextFiles, vocabulary_size: int, batch_size: int, cache: Path) -> TranslationDataModule:
    """The data module that is measured, with one vocabulary for both sides.

    Args:
        text: The training pairs.
        vocabulary_size: Number of pieces of the tokenizer.
        batch_size: Sentence pairs of a batch.
        cache: Its directory.
    """
    tokenizer = SentencePieceTokenizer(vocabulary_size)
    return TranslationDataModule(text, text, tokenizer, batch_size=batch_size, cache_directory=str(cache))


def _turned(sentence: str, turn: int) -> str:
    if not turn:
        return sentence
    words = sentence.split()
    first = turn % max(1, len(words))
    return " ".join([*words[first:], *words[:first], str(turn)])


def in_process(words: Sequence[str]) -> dict[str, float]:
    """What :func:`experiments.benchmarks.data_probe.probe` tells in a process of its own.

    Args:
        words: Its own.

    Raises:
        RunFailed: The process failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.data_probe", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise RunFailed(f"cannot {words[0]} the corpus: {told[-1]}")
    quantities: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return quantities
