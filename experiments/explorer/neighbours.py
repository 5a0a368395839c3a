"""Which examples had the closest decoder states: exact search over a corpus, memory-mapped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.batch import EOS, SequenceBatch
from datamodules.corpora.corpus import read_lines
from datamodules.errors import UserError
from experiments.checkpoints.translator import Translator, one_line
from experiments.explorer.numbers import numbers
from lightning_modules.monotonic_transducer import MonotonicTransducer

BATCH = 64
"""Pairs that are run at once."""

ROWS = 65_536
"""States that are compared at once."""


@dataclass(frozen=True)
class Corpus:
    """Pairs of text that the states are of.

    Attributes:
        pairs: Source and target of each.
    """

    pairs: Sequence[tuple[str, str]]

    @classmethod
    def of_files(cls, paths: Sequence[Path]) -> Corpus:
        """Reads one file with source and target between tabs, or one of sources and one of targets.

        Raises:
            UserError: A file cannot be read, a line has no tab, or the two have unlike numbers of lines.
        """
        if len(paths) > 2:
            raise UserError(
                f"--corpus has {len(paths)} files: give one with tabs, or one of sources and one of targets"
            )
        lines = [list(read_lines(path)) for path in paths]
        if len(lines) == 2 and len(lines[0]) != len(lines[1]):
            counts = " and ".join(f"{len(each):,}" for each in lines)
            raise UserError(f"--corpus {paths[0]} and {paths[1]} have {counts} lines: give a target for each source")
        pairs = list(zip(*lines, strict=True)) if len(lines) == 2 else list(_columns(lines[0], paths[0]))
        kept = [(source, target) for source, target in pairs if source.strip() and target.strip()]
        if not kept:
            raise UserError(f"--corpus {paths[0]} has no pairs of text")
        return cls(kept)


def _columns(lines: Sequence[str], path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        source, tab, target = line.partition("\t")
        if not tab:
            raise UserError(f"--corpus {path}, line {number}: there is no tab between a source and a target")
        yield source, target.partition("\t")[0]


class StateIndex:
    """The decoder's outputs at each target token of a corpus: what each token was predicted from.

    Args:
        translator: Of one checkpoint.
        corpus: The pairs.

    Raises:
        UserError: The model has no such state.
    """

    def __init__(self, translator: Translator, corpus: Corpus) -> None:
        self._translator, self._corpus = translator, corpus
        model = translator.members[0]
        if isinstance(model, MonotonicTransducer):
            raise UserError("a MonotonicTransducer predicts from a state at each source position: it has no neighbours")
        self._folder = tempfile.TemporaryDirectory(prefix="seqlab-explore-")
        path = Path(self._folder.name) / "states"
        places: list[tuple[int, int]] = []
        with path.open("wb") as file:
            for rows, of_rows in self._rows():
                file.write(rows.astype(np.float32).tobytes())
                places += of_rows
        self._places = np.array(places)
        self._states = np.memmap(path, dtype=np.float32, mode="r", shape=(len(places), model.output.in_features))

    def __len__(self) -> int:
        return len(self._places)

    def nearest(self, state: np.ndarray, count: int) -> list[dict[str, Any]]:
        """The tokens of the corpus whose states are closest, by Euclidean distance.

        Args:
            state: ``(width,)``.
            count: How many.

        Returns:
            For each, the closest first, its ``distance``, ``source``, the ``target``'s pieces, and the ``place`` among
            them of the token that followed.
        """
        parts = [
            np.square(self._states[start : start + ROWS] - state[None]).sum(axis=1)
            for start in range(0, len(self), ROWS)
        ]
        distances = np.concatenate(parts)
        best = np.argsort(distances, kind="stable")[:count]
        return [self._told(int(row), float(np.sqrt(distances[row]))) for row in best]

    def _told(self, row: int, distance: float) -> dict[str, Any]:
        pair, place = self._places[row].tolist()
        source, target = self._corpus.pairs[pair]
        spelling = self._translator.spellings(source)[1]
        pieces = spelling.pieces([*spelling.encode(target), EOS])
        return {"distance": numbers(distance, 5), "source": source, "target": pieces, "place": place}

    @torch.inference_mode()
    def _rows(self) -> Iterator[tuple[np.ndarray, list[tuple[int, int]]]]:
        """States and places of the tokens, a batch of pairs at a time."""
        model = self._translator.members[0]
        for first in range(0, len(self._corpus.pairs), BATCH):
            pairs = [(one_line(one), one_line(other)) for one, other in self._corpus.pairs[first : first + BATCH]]
            sources = [self._translator.encode(source)[:-1] for source, _ in pairs]
            targets = [self._translator.spellings(source)[1].encode(target) for source, target in pairs]
            batch = SequenceBatch.from_pairs(sources, targets, torch.arange(len(pairs))).to(model.device)
            hidden, _ = model(batch)
            places = [(first + each, place) for each, ids in enumerate(targets) for place in range(len(ids) + 1)]
            yield hidden.float().cpu().numpy(), places
