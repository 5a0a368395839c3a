"""Pairs of lines as ids, for the tools that read translations beside their sources."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import check_batch_size
from experiments.storage.outputs import check_outputs
from experiments.tools.translation.line_faults import LineFaults

if TYPE_CHECKING:
    from datamodules.corpora.corpus import TextFiles, TsvFile
    from datamodules.corpora.spelling import Spelling
    from experiments.checkpoints.translator import Translator


@dataclass(frozen=True)
class Pair:
    """One line.

    Attributes:
        number: Counted from 1.
        source: The source ids and EOS; empty where both sides are.
        target: The target ids, without EOS.
    """

    number: int
    source: list[int]
    target: list[int]


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """Adds where the pairs stand; :func:`checked_pairs` reads them.

    Args:
        parser: The tool's.
    """
    parser.add_argument("--source", metavar="FILE", help="the sources, one a line")
    parser.add_argument("--target", metavar="FILE", help="their translations, line by line")
    parser.add_argument("--tsv", metavar="FILE", help="in their place: source and translation with a tab between them")


def checked_pairs(given: argparse.Namespace, outputs: Mapping[str, Path]) -> TextFiles | TsvFile:
    """The files that the options name, before anything is loaded or written.

    Args:
        given: The options.
        outputs: What the tool writes, by the option that names it.

    Raises:
        UserError: The options name no pairs, or name them twice, a batch has no line, or a file cannot be used.
    """
    check_batch_size(given)
    if (given.tsv is None) == (given.source is None) or (given.source is None) != (given.target is None):
        raise UserError("give the pairs as --source FILE and --target FILE, or as --tsv FILE")
    from datamodules.corpora.corpus import TextFiles, TsvFile
    from experiments.storage.layout import find_checkpoint

    texts = TextFiles(given.source, given.target) if given.tsv is None else TsvFile(given.tsv)
    check_outputs(
        [("--ckpt_path", find_checkpoint(path)) for path in given.ckpt_path],
        outputs,
        zip(("--source", "--target") if given.tsv is None else ("--tsv",), texts.files(), strict=True),
        given.overwrite,
    )
    return texts


def encoded_pairs(texts: TextFiles | TsvFile, translator: Translator, ids: bool, faults: LineFaults) -> Iterator[Pair]:
    """The pairs as ids.

    Args:
        texts: Where they stand.
        translator: Whose tokenizers make ids of them.
        ids: Whether the targets are ids already, as text.
        faults: What becomes of a line that is not as those of the training.

    Raises:
        UserError: A source is empty and its target is not, a target is not of ids, or a line is refused strictly.
    """
    files = texts.files()
    for number, (source, target) in enumerate(texts.pairs(faults.decode), start=1):
        if faults.was_left_out(number):
            yield Pair(number, [], [])
            continue
        _, spelling = translator.spellings(source)
        try:
            encoded = _read_ids(target, spelling) if ids else spelling.encode(target)
        except UserError as error:
            raise UserError(f"{files[-1]}, line {number}: {error}") from error
        blank = not source.strip()
        if blank and target.strip():
            raise UserError(f"{files[0]}, line {number}: the source is empty, but its target is not; remove the pair")
        if blank:
            yield Pair(number, [], [])
            continue
        try:
            pair = Pair(number, translator.encode(source), encoded)
        except UserError as error:
            raise UserError(f"{files[0]}, line {number}: {error}") from error
        here, there = (f"{file}, line {number}" for file in (files[0], files[-1]))
        faults.check_length(len(pair.source) - 1, translator.longest_source, "source", here)
        faults.check_known(pair.source[:-1], "source", here)
        faults.check_length(len(encoded), translator.longest_target, "target", there)
        if not ids:  # an unknown token that is given as an id is meant
            faults.check_known(encoded, "target", there)
        yield pair


def _read_ids(line: str, spelling: Spelling) -> list[int]:
    """The ids that a line lists; the subject of an error's message is the line."""
    from datamodules.batch import EOS

    size = spelling.vocabulary_size
    for word in line.split():
        if not (word.isascii() and word.isdigit() and int(word) < size and int(word) != EOS):
            raise UserError(f"{word!r} is no id: with --ids, give numbers below {size} between spaces, without {EOS}")
    return [int(word) for word in line.split()]
