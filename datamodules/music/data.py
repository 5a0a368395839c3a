"""Music to music: pieces from files, a task, symbols in batches."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

from torch.utils.data import DataLoader

from datamodules.batch import SequenceBatch, Split
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import Side
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.hyperparameters import described_value
from datamodules.made_splits import split_of
from datamodules.music.files import PieceFiles, content
from datamodules.music.notes import Piece
from datamodules.music.tasks.harmonisation import Harmonisation
from datamodules.music.tasks.symbol_kinds import SymbolKinds
from datamodules.music.tasks.task import MusicTask
from datamodules.music.tasks.transposition import Transposition
from datamodules.tokenizers import SymbolTokenizer, WhitespaceTokenizer


class MusicDataModule(ParallelDataModule):
    """Pieces of music, and what is to be written of them.

    Args:
        train: Pieces of the training: a file of grids, MIDI files, ABC files, a table of tunes, or made ones.
        val: Pieces of the validation; null for an eighth of the training's, chosen by their notes.
        test: Pieces of the test; null for another eighth where val is null too, else for none.
        task: What is written of a piece.
        transpose: Training pairs are moved by up to so many semitones, up or down, anew in each epoch, as far as the
            range of each voice in training allows; 0 leaves them where they are.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches, and of the intervals.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabularies and encoded pairs are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: transpose is outside 0 to 12.
    """

    def __init__(
        self,
        train: PieceFiles,
        val: PieceFiles | None = None,
        test: PieceFiles | None = None,
        task: MusicTask = Harmonisation(),  # noqa: B008 - the default that --help shows; a task holds no state
        transpose: int = 0,
        batch_size: int = 16,
        eval_batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        if not 0 <= transpose <= 12:
            raise UserError(f"data.init_args.transpose is {transpose}: give 0 to 12 semitones")
        super().__init__(
            tokenizer=WhitespaceTokenizer(),
            target_tokenizer=WhitespaceTokenizer(),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
        )
        self.task = task
        self._files: dict[Split, PieceFiles | None] = {"train": train, "val": val, "test": test}
        self._transpose = transpose
        self._made: dict[Split, tuple[str, list[tuple[str, str]]]] = {}  # reading takes longer than training a while

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that files were given for, or that are parts of the training's."""
        named = self._files["val"] is not None and self._files["test"] is None
        return ("train", "val") if named else ("train", "val", "test")

    @property
    def group(self) -> tuple[int, int]:
        """Source symbols and target symbols of one step; see :attr:`MusicTask.group`."""
        return self.task.group

    def pieces(self, split: Split) -> Iterator[Piece]:
        """The pieces of a split.

        Args:
            split: One of :attr:`splits`.

        Raises:
            UserError: One cannot be read.
        """
        files = self._of(split)
        kept = files.pieces()
        yield from kept if not self._is_parted(split) else (each for each in kept if self._part(each) == split)

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """The pairs that the task makes of the pieces; see :meth:`ParallelDataModule.pairs`.

        Raises:
            UserError: A piece cannot be read, or no pair comes of those of the training.
        """
        now = self.content(split)
        if self._made.get(split, ("", []))[0] != now:
            pieces = list(self.pieces(split))
            pairs = [pair for piece in pieces for pair in self.task.pairs(piece)]
            if split == "train" and not pairs:
                raise UserError(
                    f"no pair for {type(self.task).__name__} comes of the {len(pieces)} pieces of data.init_args.train "
                    f"({len(self._of(split).left_out())} more cannot be read): give pieces that are longer, or, for "
                    "BarChords, have chord symbols"
                )
            self._made[split] = now, pairs
        return iter(self._made[split][1])

    def content(self, split: Split) -> str:
        """The hash (hex) of files and settings; see :meth:`ParallelDataModule.content`."""
        settings = described_value(self.task, "task")
        parts = (content(self._of(split)), str(settings), str(self._transpose), split, str(self._is_parted(split)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def remarks(self, split: Split) -> Iterator[str]:
        """How many pieces cannot be read, and what is wrong with the first; see :meth:`ParallelDataModule.remarks`."""
        left_out = self._of(split).left_out()
        if left_out:
            yield f"{split}: {len(left_out)} pieces left out that cannot be read, the first: {left_out[0]}"

    def where(self, split: Split, number: int) -> str:
        """See :meth:`ParallelDataModule.where`."""
        return f"pair {number}"

    def symbol_kinds(self) -> SymbolKinds:
        """What is counted apart among the target's symbols; see :class:`SymbolKinds`."""
        return SymbolKinds.of(_of_symbols(self.target_tokenizer).symbols, self.task)

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        """Batches of the training pairs, in a new order and in other keys each epoch."""
        loader = super().train_dataloader()
        if self._transpose:
            tokenizers = _of_symbols(self.source_tokenizer), _of_symbols(self.target_tokenizer)
            self._changes.append(Transposition(self._transpose, *tokenizers, self.task.moved, self._seed))
        return loader

    def _sentences(self, sides: tuple[Side, ...]) -> Iterator[str]:
        """Each training pair, in each key in which its voices stay within what they have somewhere in training."""
        pairs = [(source.split(), target.split()) for source, target in self.pairs("train")]
        symbols = {symbol for pair in pairs for side in pair for symbol in side}
        known = {self.task.value(symbol) for symbol in symbols}
        for interval in range(-self._transpose, self._transpose + 1):
            moved = {symbol: self.task.moved(symbol, interval) for symbol in symbols}
            possible = {symbol for symbol, other in moved.items() if other and self.task.value(other) in known}
            for source, target in pairs:
                if possible.issuperset(source) and possible.issuperset(target):
                    chosen = [*(source if "source" in sides else ()), *(target if "target" in sides else ())]
                    yield " ".join(str(moved[symbol]) for symbol in chosen)

    def _of(self, split: Split) -> PieceFiles:
        files = self._files[split] if not self._is_parted(split) else self._files["train"]
        if files is None:
            raise UserError(f"there is no {split} data: name its files by data.init_args.{split}")
        return files

    def _is_parted(self, split: Split) -> bool:
        """Whether a split is a part of the training's pieces."""
        return self._files["val"] is None and (split == "train" or self._files[split] is None)

    def _part(self, piece: Piece) -> Split:
        part = split_of(repr(piece.voices))
        return "train" if part == "test" and self._files["test"] is not None else part


def _of_symbols(tokenizer: object) -> SymbolTokenizer:
    if not isinstance(tokenizer, SymbolTokenizer):
        raise UserError(f"music is symbols between spaces, but the tokenizer is a {type(tokenizer).__name__}")
    return tokenizer
