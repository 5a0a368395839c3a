"""Parallel text encoded once: ids and raw text in memory-mapped arrays, so that a corpus may exceed the memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Literal, overload

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.batch import UNK, SequenceBatch, Split
from datamodules.corpora.spelling import spellings
from datamodules.tokenizers import Tokenizer

_SUMMARY = "summary.json"
_LENGTHS = "lengths"
_LENGTH_TYPE = np.dtype("<i4")
_NUMBERS = "numbers"
_NUMBER_TYPE = np.dtype("<i8")

_TOGETHER = 10_000
"""Pairs that are encoded at once."""

_AT_ONCE = 2**22
"""Values that are looked at together."""


@dataclass(frozen=True)
class Summary:
    """What encoding kept and skipped, in pairs.

    Attributes:
        kept: Pairs in the corpus.
        empty: Pairs skipped because a side has no token.
        too_long: Pairs skipped because a side has more tokens than the limit.
        first_empty: Number of the first empty pair, counted from 1, which is its line; 0 where there is none.
        first_too_long: Likewise of the first one that is too long.
        source_ids: Number of source ids, which tells the width of an id in the files.
        target_ids: Likewise of the target.
        source_unknown: The share of the kept source tokens that the vocabulary lacks, 0 to 1.
        target_unknown: Likewise of the target.
        extended: Whether what the vocabulary lacks of a source has ids above it; see :class:`ExtendedSpelling`.
    """

    kept: int
    empty: int
    too_long: int
    first_empty: int
    first_too_long: int
    source_ids: int
    target_ids: int
    source_unknown: float
    target_unknown: float
    extended: bool = False

    def line(self, split: Split, max_length: int | None, where: Callable[[Split, int], str]) -> str:
        """One line on what was kept and skipped, with the first line that was, and on what the vocabulary lacks.

        Args:
            split: Whose pairs these are.
            max_length: The limit in tokens, if there was one.
            where: Words where the pair of a number stands.
        """
        skipped = []
        if self.empty:
            skipped.append(f"{self.empty:,} empty (the first in {where(split, self.first_empty)})")
        if self.too_long:
            first = where(split, self.first_too_long)
            skipped.append(f"{self.too_long:,} longer than {max_length} tokens (the first in {first})")
        report = f"{split}: {self.kept:,} pairs kept"
        if skipped:
            report += f", {' and '.join(skipped)} skipped"
        if self.source_unknown or self.target_unknown:
            report += (
                f"; unknown tokens: {self.source_unknown:.2%} of the source, {self.target_unknown:.2%} of the target"
            )
        return report


def encode_corpus(
    directory: Path,
    pairs: Iterable[tuple[str, str]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None,
    extended: bool = False,
) -> Summary:
    """Encodes pairs and writes them, some thousands at a time; :class:`EncodedCorpus` reads them.

    Args:
        directory: An empty directory.
        pairs: (source, target) sentences. Those with an empty side are skipped.
        source_tokenizer: Encodes the sources.
        target_tokenizer: Encodes the targets.
        max_length: Pairs with more tokens than that on a side are skipped; None keeps them.
        extended: Whether what the vocabulary lacks of a source has ids above it, there and in its target.

    Returns:
        What was kept and skipped.
    """
    kept = empty = too_long = first_empty = first_too_long = 0
    source_tokens = target_tokens = source_unknown = target_unknown = 0
    source_ids, target_ids = source_tokenizer.vocabulary_size, target_tokenizer.vocabulary_size
    with (
        _RowWriter(directory, "source_ids", _id_type(source_ids, extended)) as source_writer,
        _RowWriter(directory, "target_ids", _id_type(target_ids, extended)) as target_writer,
        _RowWriter(directory, "source_text", np.dtype(np.uint8)) as source_text_writer,
        _RowWriter(directory, "target_text", np.dtype(np.uint8)) as target_text_writer,
        (directory / _LENGTHS).open("wb") as lengths,
        (directory / _NUMBERS).open("wb") as numbers,
    ):
        rows = _encoded(pairs, source_tokenizer, target_tokenizer)
        for number, (source, target, source_row, target_row) in enumerate(rows, start=1):
            if not (source.strip() and target.strip() and source_row and target_row):
                empty += 1
                first_empty = first_empty or number
            elif max_length is not None and max(len(source_row), len(target_row)) > max_length:
                too_long += 1
                first_too_long = first_too_long or number
            else:
                kept += 1
                source_tokens, source_unknown = source_tokens + len(source_row), source_unknown + source_row.count(UNK)
                target_tokens, target_unknown = target_tokens + len(target_row), target_unknown + target_row.count(UNK)
                if extended and UNK in source_row:
                    of_source, of_target = spellings(source_tokenizer, target_tokenizer, source)
                    source_row, target_row = of_source.encode(source), of_target.encode(target)
                source_writer.write(source_row)
                target_writer.write(target_row)
                source_text_writer.write(source.encode())
                target_text_writer.write(target.encode())
                lengths.write(np.array([len(source_row), len(target_row)], _LENGTH_TYPE).tobytes())
                numbers.write(number.to_bytes(_NUMBER_TYPE.itemsize, "little"))
    summary = Summary(
        kept,
        empty,
        too_long,
        first_empty,
        first_too_long,
        source_ids,
        target_ids,
        source_unknown / max(1, source_tokens),
        target_unknown / max(1, target_tokens),
        extended,
    )
    (directory / _SUMMARY).write_text(json.dumps(asdict(summary)), encoding="utf-8")
    return summary


def _encoded(
    pairs: Iterable[tuple[str, str]], source_tokenizer: Tokenizer, target_tokenizer: Tokenizer
) -> Iterator[tuple[str, str, list[int], list[int]]]:
    """Each pair with its ids."""
    remaining = iter(pairs)
    while chunk := list(islice(remaining, _TOGETHER)):
        sources, targets = ([pair[side] for pair in chunk] for side in (0, 1))
        source_rows, target_rows = source_tokenizer.encode_all(sources), target_tokenizer.encode_all(targets)
        yield from zip(sources, targets, source_rows, target_rows, strict=True)


class EncodedCorpus(Dataset[SequenceBatch]):
    """A corpus that :func:`encode_corpus` wrote, memory-mapped; a dataset of whole batches.

    It pickles as its directory, so that worker processes map the same files.

    Args:
        directory: Where it was written; with at least one pair.

    Attributes:
        summary: What was kept and skipped.
        sources: The raw sources by index.
        references: The raw targets by index.
        lengths: ``(pairs, 2)``, int32, memory-mapped: source and target length of each pair in tokens, without reserved
            ids.
        numbers: ``(pairs,)``, int64, memory-mapped: where each pair stands in the text, counted from 1, those that were
            skipped counted too; of a file, its line.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.summary = Summary(**json.loads((directory / _SUMMARY).read_text(encoding="utf-8")))
        self._source = _Rows(directory, "source_ids", _id_type(self.summary.source_ids, self.summary.extended))
        self._target = _Rows(directory, "target_ids", _id_type(self.summary.target_ids, self.summary.extended))
        self.sources: Sequence[str] = Texts(_Rows(directory, "source_text", np.dtype(np.uint8)))
        self.references: Sequence[str] = Texts(_Rows(directory, "target_text", np.dtype(np.uint8)))
        self.lengths = _mapped(directory / _LENGTHS, _LENGTH_TYPE).reshape(-1, 2)
        self.numbers = _mapped(directory / _NUMBERS, _NUMBER_TYPE)

    def __len__(self) -> int:
        return self.summary.kept

    def __getitem__(self, indices: list[int]) -> SequenceBatch:
        """The batch of the pairs with these indices, in this order; an empty list makes an empty batch."""
        return SequenceBatch.from_pairs(
            [self._source[index].tolist() for index in indices],
            [self._target[index].tolist() for index in indices],
            torch.tensor(indices, dtype=torch.long),
        )

    def ids(self, index: int) -> tuple[list[int], list[int]]:
        """The ids of source and target of one pair, without reserved ids."""
        return self._source[index].tolist(), self._target[index].tolist()

    @property
    def source_symbols(self) -> np.ndarray:
        """``(symbols,)``, memory-mapped: the ids of all sources, one after another."""
        return self._source.values

    @property
    def target_symbols(self) -> np.ndarray:
        """``(symbols,)``, memory-mapped: the ids of all targets, one after another."""
        return self._target.values

    def unknown_rows(self, side: Literal["source", "target"]) -> list[int]:
        """The indices of the pairs with a token on that side that the vocabulary lacks."""
        is_source, summary = side == "source", self.summary
        known = summary.source_ids if is_source else summary.target_ids
        return (self._source if is_source else self._target).unknown(known)

    def __reduce__(self) -> tuple[type[EncodedCorpus], tuple[Path]]:
        return type(self), (self.directory,)


class Texts(Sequence[str]):
    """Sentences on disk, read when asked for."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        return self._rows[index].tobytes().decode()


class _RowWriter:
    """Writes rows of different lengths: their values one after another, and where each row ends."""

    def __init__(self, directory: Path, name: str, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._end = 0
        with ExitStack() as stack:
            self._values = stack.enter_context((directory / f"{name}.values").open("wb"))
            self._ends = stack.enter_context((directory / f"{name}.ends").open("wb"))
            self._files = stack.pop_all()

    def write(self, row: Sequence[int]) -> None:
        """Appends a row: ids, or bytes."""
        self._values.write(row if isinstance(row, bytes) else np.asarray(row, self._dtype).tobytes())
        self._end += len(row)
        self._ends.write(self._end.to_bytes(8, "little"))

    def __enter__(self) -> _RowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self._files.close()
        return False


class _Rows:
    """Rows of different lengths in two memory-mapped files."""

    def __init__(self, directory: Path, name: str, dtype: np.dtype) -> None:
        self.values = _mapped(directory / f"{name}.values", dtype)
        self._ends = _mapped(directory / f"{name}.ends", np.dtype("<i8"))

    def __len__(self) -> int:
        return len(self._ends)

    def unknown(self, known: int) -> list[int]:
        """The rows that have UNK, or an id above the ``known`` ones of the vocabulary."""
        parts = (self.values[start : start + _AT_ONCE] for start in range(0, len(self.values), _AT_ONCE))
        found = (np.flatnonzero((part == UNK) | (part >= known)) for part in parts)
        places = (number * _AT_ONCE + each for number, each in enumerate(found))
        rows = [np.searchsorted(self._ends, each, side="right") for each in places]
        return np.unique(np.concatenate(rows)).tolist() if rows else []

    def __getitem__(self, index: int) -> np.ndarray:
        row = range(len(self))[index]
        return self.values[self._ends[row - 1] if row else 0 : self._ends[row]]


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """A file as an array, memory-mapped; a plain array, for slices of a ``np.memmap`` take ten times as long."""
    return np.asarray(np.memmap(path, dtype, mode="r"))


def _id_type(vocabulary_size: int, extended: bool) -> np.dtype:
    """Room for the ids of a vocabulary; how many are above it, no one knows before all sources are read."""
    return np.dtype("<u2") if vocabulary_size <= 2**16 and not extended else np.dtype("<i4")
