"""Texts and their labels from files: what a text classifier is trained on."""

from __future__ import annotations

from collections.abc import Iterable

from datamodules.corpora.held_out import HeldOut
from datamodules.corpora.labelled import LabelledTextDataModule
from datamodules.corpora.vocabularies import Side
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.formats.forms import ParallelText
from datamodules.plan import BatchUnit
from datamodules.tokenizers import Tokenizer
from datamodules.tokenizers.labels import LabelTokenizer
from datamodules.translation import TranslationDataModule


class TextClassificationDataModule(LabelledTextDataModule, TranslationDataModule):
    """Texts with a label each, from a table or from two line-aligned files for each split; compressed ones too.

    The source is the text, the target its label. The labels are those of the whole training file, whatever shares of it
    ``split`` trains on and holds out; a text of another file with another label is an error. A relative path that does
    not exist in the working directory is looked for in ``$SEQLAB_DATA``, else in ``data``.

    Args:
        train: Training texts: one file, ``tsv``, ``csv``, ``jsonl`` or ``parquet``, and ``columns: {source: TEXT,
            target: LABEL}``, the columns of text and label; or ``source`` and ``target``, two files of as many lines,
            of which ``source_column`` and ``target_column`` may name one column each.
        val: Validation texts, likewise; null for those that ``split`` holds out of the training texts.
        tokenizer: Tokenizer of the texts, trained on the training texts.
        test: Test texts, likewise; without them, or a share in ``split``, there is no test and no prediction.
        batch_size: Budget of one training batch, all processes together.
        batch_unit: What the budget counts: texts, as ``sentences``, or their padded tokens.
        eval_batch_size: Texts of one batch in validation, test and prediction, all processes together.
        max_length: Tokens of a text that are read; what follows is left out, in every split.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.
        split: Shares of the training texts that are held out for ``val`` and ``test`` where those name no file:
            ``{val: 0.05, test: 0.05}``; and the share that is trained on, ``{train: 0.25}``. Equal texts are never in
            two splits.

    Raises:
        UserError: No tokenizer is given, or a setting does not go with the others.
    """

    def __init__(
        self,
        train: ParallelText,
        val: ParallelText | None = None,
        tokenizer: Tokenizer | None = None,
        test: ParallelText | None = None,
        batch_size: int = 64,
        batch_unit: BatchUnit = "sentences",
        eval_batch_size: int = 256,
        max_length: int = 200,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
        split: HeldOut | None = None,
    ) -> None:
        if isinstance(tokenizer, LabelTokenizer):
            raise UserError("data.init_args.tokenizer is a LabelTokenizer, which reads a whole text as one token")
        super().__init__(
            train,
            val,
            tokenizer,
            test,
            LabelTokenizer(),
            batch_size,
            batch_unit,
            eval_batch_size,
            max_length,
            seed,
            num_workers,
            cache_directory,
            curriculum,
            split=split,
        )

    def _sentences(self, sides: tuple[Side, ...]) -> Iterable[str]:
        """What a tokenizer of these sides is trained on: of the labels all that the training file has."""
        return (row[2] for row in self._texts["train"].rows()) if sides == ("target",) else super()._sentences(sides)
