"""Translation from files: any parallel corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from datamodules.corpus import ParallelText, TsvFile
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError, listed_numbers
from datamodules.parallel import ParallelDataModule, Split
from datamodules.plan import BatchUnit
from datamodules.tokenizers import Tokenizer


class TranslationDataModule(ParallelDataModule):
    """Any parallel corpus: two line-aligned text files, or one TSV, for each split; gzip files too.

    A relative path that does not exist in the working directory is looked for in ``$SEQLAB_DATA``, else in ``data``.

    Args:
        train: Training pairs: ``source`` and ``target``, two files of as many lines, or ``tsv``, one file with both.
        val: Validation pairs, likewise.
        tokenizer: Tokenizer of the source, and of the target too unless ``target_tokenizer`` is given: then both share
            one vocabulary. It is trained on the training pairs.
        test: Test pairs, likewise; without them there is no test and no prediction.
        target_tokenizer: Tokenizer of the target, with a vocabulary of its own; null for a joint one.
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
    """

    def __init__(
        self,
        train: ParallelText,
        val: ParallelText,
        tokenizer: Tokenizer,
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
    ) -> None:
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
        )
        self._texts: dict[Split, ParallelText] = {"train": train, "val": val}
        if test is not None:
            self._texts["test"] = test

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that files were given for."""
        return tuple(self._texts)

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of lines of a split; see :mod:`datamodules.corpus`."""
        return self._text(split).pairs()

    def content(self, split: Split) -> str:
        """SHA-256 (hex) over the bytes of a split's files."""
        text = self._text(split)
        files = [type(text).__name__, *(self.cache.hash_file(path) for path in text.files())]
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()

    def place(self, split: Split, index: Sequence[int]) -> str:
        """Words where pairs stand, for messages: "lines 3, 8 of train.en and train.de"."""
        text = self._text(split)
        files = text.tsv if isinstance(text, TsvFile) else f"{text.source} and {text.target}"
        return f"lines {listed_numbers(self.numbers(split, index))} of {files}"

    def _text(self, split: Split) -> ParallelText:
        try:
            return self._texts[split]
        except KeyError:
            raise UserError(f"there is no {split} data: set data.init_args.{split}") from None
