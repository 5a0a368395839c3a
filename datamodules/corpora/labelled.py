"""Texts with a label each, in batches of ids and classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.batch import SPECIAL_PIECES, UNK, LabelledBatch, Padded, Split
from datamodules.corpora.encoded import EncodedCorpus
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError, suggest


class LabelledCorpus(Dataset[LabelledBatch]):
    """Encoded texts and labels; a dataset of whole batches.

    Args:
        corpus: The texts as sources, their labels as targets of one id each.
        max_length: Tokens of a text that are read; what follows is left out.

    Attributes:
        lengths: ``(texts, 1)``, the tokens of each text that are read.
    """

    def __init__(self, corpus: EncodedCorpus, max_length: int) -> None:
        self._corpus = corpus
        self._max_length = max_length
        self.lengths = np.minimum(corpus.lengths[:, :1], max_length)

    def __len__(self) -> int:
        return len(self._corpus)

    def __getitem__(self, indices: list[int]) -> LabelledBatch:
        """The batch of the texts with these indices, in this order; an empty list makes an empty batch."""
        pairs = [self._corpus.ids(index) for index in indices]
        return LabelledBatch(
            Padded.from_sequences([text[: self._max_length] for text, _ in pairs]),
            torch.tensor([label[0] - len(SPECIAL_PIECES) for _, label in pairs], dtype=torch.long),
            torch.tensor(indices, dtype=torch.long),
        )


class LabelledTextDataModule(ParallelDataModule):
    """Texts with a label each: pairs whose target is the label, read by a :class:`LabelTokenizer`.

    The labels are those of the training data, in sorted order; the class of a text is the place of its label among
    them, from 0; labels that are added to those of a checkpoint follow. A text longer than ``max_length`` tokens is cut
    there, in every split. The ids of a text are not closed by EOS, for nothing follows it.
    """

    @property
    def class_names(self) -> list[str]:
        """The labels by class."""
        tokenizer = self.target_tokenizer
        return tokenizer.pieces(range(len(SPECIAL_PIECES), tokenizer.vocabulary_size))

    @property
    def class_count(self) -> int:
        """Number of labels."""
        return self.target_tokenizer.vocabulary_size - len(SPECIAL_PIECES)

    def state_dict(self) -> dict[str, Any]:
        """Tokenizers and labels, and the ``max_length`` at which texts are cut."""
        return {**super().state_dict(), "max_length": self._max_length}

    def _longest_kept(self, split: Split) -> None:
        """No text is too long: it is cut."""

    def _examples(self, split: Split, corpus: EncodedCorpus) -> tuple[LabelledCorpus, np.ndarray]:
        """Texts and classes, and the lengths that the plan sorts by.

        Raises:
            UserError: A label is none of those that there are, or there is one alone.
        """
        self._check_labels(split, corpus, self.class_names)
        labelled = LabelledCorpus(corpus, self._max_length)
        return labelled, labelled.lengths

    def _remarks_on(self, split: Split, corpus: EncodedCorpus) -> Iterator[str]:
        """Those on the texts, and on the labels."""
        yield from super()._remarks_on(split, corpus)
        cut = int((corpus.lengths[:, 0] > self._max_length).sum())
        if cut:
            yield f"{split}: {cut:,} texts are cut at {self._max_length} tokens"
        yield from self._remarks_on_labels(split, corpus, self.class_names)

    def _remarks_on_labels(self, split: Split, corpus: EncodedCorpus, names: list[str]) -> Iterator[str]:
        known = corpus.target_symbols[corpus.target_symbols != UNK]
        counts = np.bincount(known - len(SPECIAL_PIECES), minlength=len(names))
        most = int(counts.argmax())
        yield (
            f"{split}: {int((counts > 0).sum()):,} of {len(names):,} labels; the most frequent, {names[most]!r}, is "
            f"that of {counts[most] / len(corpus):.2%} of the texts"
        )
        if split == "train" and 2 * len(names) > len(corpus):
            yield (
                f"seqlab: warning: {len(names):,} labels for {len(corpus):,} texts: see whether the labels are the "
                f"targets of {self.named(split, 'target')[0]}"
            )

    def _check_labels(self, split: Split, corpus: EncodedCorpus, names: list[str]) -> None:
        for row in corpus.unknown_rows("target")[:1]:
            label = corpus.references[row].strip()
            place = f"{self.named(split, 'target')[0]}, {self.where(split, int(corpus.numbers[row]))}"
            origin, remedy = (
                ("checkpoint", "add --extend_vocabulary")
                if split == "train"
                else ("training data", "give training texts with it")
            )
            raise UserError(
                f"{place}: the label {label!r} is none of the {len(names):,} of the {origin}: {suggest(label, names)}; "
                f"{remedy}, or leave the text out"
            )
        if len(names) < 2:
            raise UserError(f"all training data have one label, {names[0]!r}: there is nothing to tell apart")
