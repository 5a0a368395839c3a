"""The text that all systems read: pieces of one tokenizer, so that no system has fewer or easier tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.batch import SPECIAL_PIECES
from datamodules.errors import UserError

SPACE = "\u2581"
"""SentencePiece's sign for a space, which begins a word."""


@dataclass(frozen=True)
class PeerCorpus:
    """Parallel text in pieces: in each file one sentence a line, its pieces with a space between them.

    Attributes:
        train_source: Sources to train on.
        train_target: Their targets.
        val_source: Sources to validate on.
        val_target: Their targets.
        test_source: What is translated.
        test_target: Its targets.
        test_reference: The same as text.
        vocabulary: The pieces of both languages, in order; the reserved ones are ignored, each toolkit has its own.
    """

    train_source: Path
    train_target: Path
    val_source: Path
    val_target: Path
    test_source: Path
    test_target: Path
    test_reference: Path
    vocabulary: Sequence[str]

    def pieces(self) -> list[str]:
        """The vocabulary without the reserved pieces."""
        return [piece for piece in self.vocabulary if piece not in SPECIAL_PIECES]


def read_lines(path: Path) -> list[str]:
    """The lines of a file, which end with a newline and nothing else.

    Args:
        path: The file, UTF-8.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            return [line.removesuffix("\n") for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def read_pairs(source: Path, target: Path) -> list[tuple[str, str]]:
    """The sentence pairs of two files; those with a blank side, which the toolkits refuse, are left out.

    Args:
        source: The sources.
        target: The targets.

    Raises:
        UserError: A file cannot be read, or one has more lines than the other, or no pair is left.
    """
    sources, targets = read_lines(source), read_lines(target)
    if len(sources) != len(targets):
        raise UserError(f"{source} has {len(sources)} lines, but {target} has {len(targets)}: give parallel files")
    pairs = [pair for pair in zip(sources, targets, strict=True) if all(side.strip() for side in pair)]
    if not pairs:
        raise UserError(f"{source} and {target} have no sentence pair")
    return pairs


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes lines.

    Args:
        path: The file; one of that name is replaced.
        lines: Without their ends.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def write_pairs(directory: Path, name: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Writes sentence pairs as two files, ``NAME.source`` and ``NAME.target``.

    Args:
        directory: Where to.
        name: Name of both files, without the suffix.
        pairs: Source and target of each.
    """
    for side, suffix in enumerate(("source", "target")):
        write_lines(directory / f"{name}.{suffix}", (pair[side] for pair in pairs))


VOCABULARY = "vocabulary.txt"


def write_splits(
    directory: Path, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], vocabulary: Sequence[str]
) -> None:
    """Writes both splits by :func:`write_pairs`, and the vocabulary, one piece a line.

    Args:
        directory: Where to.
        train: Pairs of training.
        val: Pairs of validation.
        vocabulary: The pieces, in order.
    """
    write_pairs(directory, "train", train)
    write_pairs(directory, "val", val)
    write_lines(directory / VOCABULARY, vocabulary)


def join_pieces(line: str) -> str:
    """The sentence of pieces with a space between them."""
    return "".join(line.split(" ")).replace(SPACE, " ").strip()
