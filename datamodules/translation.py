"""Translation from files: any parallel corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from datamodules.batch import Split
from datamodules.corpora.features import Features, FeatureTokenizer, excerpt_of_lines
from datamodules.corpora.held_out import HeldOut
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import SIDES, Side
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError, listed_numbers
from datamodules.excerpts import Excerpt, LastTurns
from datamodules.formats.annotations import Annotations
from datamodules.formats.columns import Column, Row
from datamodules.formats.dialogues import DialogueFile
from datamodules.formats.forms import (
    ParallelText,
    check_apart,
    check_form,
    files_of,
    lines_before,
    notices,
    place_of,
)
from datamodules.formats.saved_dataset import SavedDataset
from datamodules.hyperparameters import described_value
from datamodules.plan import BatchUnit
from datamodules.tokenizers import Tokenizer


class TranslationDataModule(ParallelDataModule):
    """Any parallel corpus: two line-aligned text files, or one table, for each split; compressed ones too.

    A relative path that does not exist in the working directory is looked for in ``$SEQLAB_DATA``, else in ``data``.

    Args:
        train: Training pairs: ``source`` and ``target``, two files of as many lines, or ``lines`` of them; or one file
            with both: ``tsv``, ``csv``, ``jsonl`` or ``parquet``, or a directory, ``dataset``, and ``columns``, which
            says where they stand.
        val: Validation pairs, likewise; null for those that ``split`` holds out of the training pairs.
        tokenizer: Tokenizer of the source, and of the target too unless ``target_tokenizer`` is given: then both share
            one vocabulary. It is trained on the training pairs.
        test: Test pairs, likewise; without them, or a share in ``split``, there is no test and no prediction.
        target_tokenizer: Tokenizer of the target, with a vocabulary of its own; null for that of the source.
        batch_size: Budget of one training batch, all processes together.
        batch_unit: What the budget counts: sentence pairs, or padded tokens of the longer side.
        eval_batch_size: Sentence pairs of one batch in validation, test and prediction, all processes together.
        max_length: Training pairs with more tokens on a side are skipped.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where tokenizers and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.
        piece_dropout: Probability that a merge of pieces is taken back in training, so that words come in other pieces
            in each epoch (after BPE-dropout, Provilkov et al. 2020); it needs SentencePiece's ``bpe``.
        split: Shares of the training pairs that are held out for ``val`` and ``test`` where those name no file:
            ``{val: 0.05, test: 0.05}``; and the share that is trained on, ``{train: 0.25}``. Which pairs they are
            follows from what is read of their sources; of ``dialogues`` from the whole dialogue.
        features: How the column of features is read that ``columns`` names; null where there is none.
        joint_vocabulary: Whether two tokenizers, of words, characters or code, have one vocabulary: what each learns on
            its own side has the same ids on both, as ``tied: all`` needs.
        copy_unknown: Whether words or characters that the vocabulary lacks can be copied from a source, whole, by a
            ``CopyVocabularyHead``; the vocabulary has to be a joint one, and not of pieces.
        hallucination: Probability that what the sides of a training pair share, such as the stem of a word, is made up
            in training, for few lemmas with many forms each (after Anastasopoulos and Neubig 2019).
        excerpt: How much of a long source is read, in every split: ``FirstWords`` of a description, ``LastWords``, or
            ``LastTurns`` of a dialogue; all of it if not given. What is cut is counted and told.
        annotations: Further columns of the tables, which metrics may read: ``{values: 5}``.
    """

    def __init__(
        self,
        train: ParallelText,
        val: ParallelText | None = None,
        tokenizer: Tokenizer | None = None,
        test: ParallelText | None = None,
        target_tokenizer: Tokenizer | None = None,
        batch_size: int = 64,
        batch_unit: BatchUnit = "sentences",
        eval_batch_size: int = 64,
        max_length: int = 100,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
        piece_dropout: float = 0.0,
        split: HeldOut | None = None,
        features: Features | None = None,
        joint_vocabulary: bool = False,
        copy_unknown: bool = False,
        hallucination: float = 0.0,
        excerpt: Excerpt | None = None,
        annotations: dict[str, Column] | None = None,
    ) -> None:
        if tokenizer is None:
            raise UserError("data.init_args.tokenizer is not given: name one, for example CharacterTokenizer")
        if copy_unknown and features is not None:
            raise UserError(
                "data.init_args.copy_unknown is true, but a source with features has ids that no target has: leave "
                "copy_unknown out"
            )
        super().__init__(
            tokenizer,
            target_tokenizer,
            batch_size,
            batch_unit,
            eval_batch_size,
            max_length,
            seed,
            num_workers,
            cache_directory,
            curriculum,
            piece_dropout,
            joint_vocabulary,
            copy_unknown,
            hallucination,
            excerpt,
        )
        given: dict[Split, ParallelText | None] = {"train": train, "val": val, "test": test}
        self._texts = {name: text for name, text in given.items() if text is not None}
        self._features = features
        self._annotations = Annotations(annotations or {})
        for name, text in self._texts.items():
            check_form(text, f"data.init_args.{name}")
            self._check_features(name, text)
            self._check_markers(name, text)
        check_apart({f"data.init_args.{name}": text for name, text in self._texts.items()})
        if split is not None:
            split.check()
        self._held_out = HeldOut() if split is None else split.without(self._texts)
        self._without_effect = [] if split is None else split.without_effect(self._texts)
        if "val" not in self.splits:
            raise UserError(
                "data.init_args.val is not given: name a file, or hold out a share of the training pairs by split: "
                "{val: 0.05}"
            )
        self._feature_tokenizer: FeatureTokenizer | None = None
        if features is not None:
            columns = train.chosen
            self._feature_tokenizer = features.before(tokenizer, columns is not None and columns.features_first)
            self._tokenizers.wanted = (self._feature_tokenizer, target_tokenizer)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that files were given for, or shares."""
        names: tuple[Split, ...] = ("train", "val", "test")
        return tuple(name for name in names if name in self._texts or self._held_out.share(name))

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of a split; of a source with features they are one line, with a tab between them."""
        tokenizer = self._feature_tokenizer
        for _, (source, features, target) in self._rows(split):
            yield (source if tokenizer is None else tokenizer.joined(source, features)), target

    def _reading(self) -> Excerpt | None:
        """How much of a line of :meth:`pairs` is read: of its source, and of features all."""
        return excerpt_of_lines(self._excerpt, self._feature_tokenizer)

    def content(self, split: Split) -> str:
        """SHA-256 (hex) over the bytes of a split's files, and over what decides which of their pairs it has."""
        text = self._text(split)
        parts: list[Any] = [type(text).__name__, *(self.cache.hash_file(path) for path in text.files())]
        if layout := text.layout():
            parts.append(layout)
        if shares := self._held_out.deciding(split, is_given=split in self._texts):
            parts.append(shares | self._grouping())
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def annotation(self, split: Split, name: str) -> Sequence[str]:
        """A further column of a split's table, by index; read once.

        Raises:
            UserError: The setting does not name it, or the table does not have it.
        """

        def read(text: ParallelText) -> list[str]:
            values = [value for _, (_, _, value) in self._rows(split, text)]
            return [values[number - 1] for number in self._corpus(split).numbers]

        return self._annotations.column(split, name, self._text(split), read)

    def place(self, split: Split, index: Sequence[int]) -> str:
        """Words where pairs stand, for messages: "lines 3, 8 of train.en and train.de"."""
        return place_of(self._text(split), listed_numbers(self.numbers(split, index)))

    def numbers(self, split: Split, index: Sequence[int]) -> list[int]:
        """Where pairs stand in their file, counted from 1, those that were skipped or held out counted too."""
        numbers = super().numbers(split, index)
        if not self._is_parted(split):
            return [lines_before(self._text(split)) + number for number in numbers]
        wanted = set(numbers)
        found = {nth: number for nth, (number, _) in enumerate(self._rows(split), start=1) if nth in wanted}
        return [found[number] for number in numbers]

    def where(self, split: Split, number: int) -> str:
        """Words where one pair stands in its file: "line 3"; of a table with a header "row 3"."""
        if self._is_parted(split):
            number, _ = next(islice(self._rows(split), number - 1, None))
        else:
            number += lines_before(self._text(split))
        return f"{'line' if self._text(split).counts_lines else 'row'} {number}"

    def remarks(self, split: Split) -> Iterator[str]:
        """The share that was held out, and what may be wrong with a split's files."""
        if split in self._texts:
            yield from (f"seqlab: warning: {notice}" for notice in notices(self._texts[split]))
            if split == "train" and self._held_out.train is not None:
                used, total = self._counts(split)
                yield f"train: {used:,} of the {total:,} pairs are used (split.train is {self._held_out.train:g})"
        else:
            held, total = self._counts(split)
            yield (
                f"{split}: {held:,} of the {total:,} pairs of {files_of(self._texts['train'])} are held out for it "
                f"({held / total:.2%}; split.{split} is {self._held_out.share(split):g})"
            )
        if split in self._without_effect:
            yield f"seqlab: warning: split.{split} holds nothing out, since data.init_args.{split} names a file"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the tokenizers of a checkpoint; a line then has source and features in the order that they know.

        Raises:
            UserError: The state is damaged, or of data with other features.
        """
        super().load_state_dict(state_dict)
        tokenizer = self.source_tokenizer
        had = tokenizer.features if isinstance(tokenizer, FeatureTokenizer) else None
        if had != self._features:
            raise UserError(
                f"data.init_args.features is {_written(self._features)}, but was {_written(had)} in training: leave it "
                "as it was, or begin a new training"
            )
        self._feature_tokenizer = tokenizer if isinstance(tokenizer, FeatureTokenizer) else None

    def _check_features(self, split: Split, text: ParallelText) -> None:
        """Refuses features without the setting, and the setting without them."""
        columns = text.chosen
        has_column = columns is not None and columns.features is not None
        if self._features is not None and not has_column:
            raise UserError(
                f"data.init_args.features is set, but data.init_args.{split} names no column of features: give "
                "columns: {source: ..., features: ..., target: ...}"
            )
        if self._features is None and has_column:
            raise UserError(
                f"data.init_args.{split} names a column of features, but data.init_args.features is not set: add "
                "features: {separator: ';'}"
            )

    def _check_markers(self, split: Split, text: ParallelText) -> None:
        """Refuses turns that the excerpt would not know as such."""
        if not isinstance(text, DialogueFile) or not isinstance(self._excerpt, LastTurns):
            return
        if set(text.opening) != set(self._excerpt.markers):
            raise UserError(
                f"data.init_args.{split}.markers open turns by {', '.join(text.opening)}, but data.init_args.excerpt "
                f"looks for {', '.join(self._excerpt.markers)}: give both the same, as markers: "
                f"{json.dumps(text.opening)} of LastTurns"
            )

    def files(self) -> list[tuple[str, Path]]:
        """Every file that a config key names, with the key; those that are not there are left out."""
        found: list[tuple[str, Path]] = []
        for name, text in self._texts.items():
            with suppress(UserError):
                found += [(f"data.init_args.{name}", path) for path in text.files()]
        return found

    def named(self, split: Split, side: Side) -> tuple[str, str]:
        """The file of one side, and what is counted in it, lines, or rows where these have other numbers."""
        text = self._text(split)
        files = text.files()
        unit = "line" if text.counts_lines else "row"
        if isinstance(text, SavedDataset):
            return str(files[0].parent), unit
        return str(files[SIDES.index(side)] if len(files) > 1 else files[0]), unit

    def _text(self, split: Split) -> ParallelText:
        """What a split is read from; where it is held out, the training file."""
        if split not in self.splits:
            raise UserError(f"there is no {split} data: set data.init_args.{split}")
        return self._texts.get(split, self._texts["train"])

    def _is_parted(self, split: Split) -> bool:
        """Whether a split has some of its file's pairs alone."""
        leaves_some = len(self.splits) > len(self._texts) or self._held_out.train is not None
        return split not in self._texts or (split == "train" and leaves_some)

    def _rows(self, split: Split, text: ParallelText | None = None) -> Iterator[tuple[int, Row]]:
        """The rows of a split, each with its number in the file, from 1; of the same table with other columns, too."""
        text = self._text(split) if text is None else text
        first = 1 + lines_before(text)
        if not self._is_parted(split):
            yield from enumerate(text.rows(), start=first)
            return
        total, is_empty = 0, True
        for number, (group, row) in enumerate(self._grouped(text), start=first):
            total += 1
            if self._held_out.split_of(group) == split:
                is_empty = False
                yield number, row
        if is_empty:
            raise UserError(
                f"{split} has none of the {total:,} pairs of {files_of(self._texts['train'])}: change "
                f"data.init_args.split, or give data.init_args.{split}"
            )

    def _grouped(self, text: ParallelText) -> Iterator[tuple[str, Row]]:
        """The rows of a file with what each is held out with: its dialogue, or what is read of its source."""
        if isinstance(text, DialogueFile):
            yield from text.rows_of_dialogues()
            return
        for row in text.rows():
            yield (row[0] if self._excerpt is None else self._excerpt.of(row[0])), row

    def _grouping(self) -> dict[str, Any]:
        """What decides, beside the file, which rows are held out together; empty where it is the whole source."""
        if isinstance(self._texts["train"], DialogueFile):
            return {"together": "dialogue"}
        return {} if self._excerpt is None else {"together": described_value(self._excerpt, "excerpt")}

    def _counts(self, split: Split) -> tuple[int, int]:
        """The pairs of a split that has some of the training file's, and those of the file; counted once."""

        def make(directory: Path) -> None:
            total = sum(1 for _ in self._texts["train"].rows())
            counts = [sum(1 for _ in self._rows(split)), total]
            (directory / _COUNTS).write_text(json.dumps(counts), encoding="utf-8")

        entry = self.cache.entry("split", {"content": self._content(split)}, make)
        held, total = json.loads((entry / _COUNTS).read_text(encoding="utf-8"))
        return held, total


_COUNTS = "counts.json"


def _written(features: Features | None) -> str:
    """The setting as a config has it."""
    return "null" if features is None else json.dumps(asdict(features))
