"""What is seen of one text by a classifier: the labels, and what each position has to do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from datamodules.batch import Padded
from datamodules.errors import UserError
from experiments.checkpoints.text_labeller import TextLabeller
from experiments.checkpoints.translator import one_line
from experiments.explorer.numbers import numbers
from experiments.explorer.views.states import encoder_states
from experiments.explorer.worker import Ticket
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.layers.pooling import AttentionPooling

AT_ONCE = 64
"""Texts of a batch, each without one of its tokens."""


@dataclass(frozen=True)
class LabelView:
    """Looks at texts with one classifier.

    Attributes:
        labeller: Of one checkpoint.
    """

    labeller: TextLabeller

    @property
    def model(self) -> BiRNNTextClassifier:
        """The classifier."""
        return self.labeller.members[0]

    @torch.inference_mode()
    def look(self, text: str, ticket: Ticket) -> dict[str, Any]:
        """Labels a text, and tells what each token has to do with it.

        Args:
            text: Of one line.
            ticket: Ends the computation when nobody waits for it.

        Returns:
            ``pieces``; ``labels`` and their ``probabilities``; ``adds``, for each label what each position adds to its
            logit, with the ``bias`` they sum to it, None where the pooled vector is no sum over positions; ``weights``
            of an attention, None without; and ``without``, for each position how the probabilities of the labels
            change where the token is left out.

        Raises:
            UserError: Nothing is left of the text.
        """
        ids = self._ids(text)
        memory, _ = self.model.encoder(*self._read([ids]))
        mask = torch.ones(1, len(ids), dtype=torch.bool, device=memory.device)
        parts = self.model.pooling.parts(memory, mask)
        (probabilities,) = self.labeller.probabilities([ids], 1)
        pooling = self.model.pooling
        return {
            "pieces": self.labeller.tokenizer.pieces(ids),
            "labels": self.labeller.labels,
            "probabilities": numbers(torch.tensor(probabilities, dtype=torch.float64)),
            "adds": None if parts is None else numbers((parts[0] @ self.model.output.weight.t()).t(), 5),
            "bias": numbers(self.model.output.bias, 5),
            "weights": numbers(pooling.weights(memory, mask)[0]) if isinstance(pooling, AttentionPooling) else None,
            "without": self._without(ids, probabilities, ticket),
        }

    @torch.inference_mode()
    def states(self, text: str) -> dict[str, Any]:
        """The encoder's states; see :func:`experiments.explorer.views.states.translation_states`."""
        ids = self._ids(text)
        series = encoder_states(self.model.encoder, self.model.source_embedding, self._read([ids], embed=False)[0])
        return {"source": self.labeller.tokenizer.pieces(ids), "target": [], "series": series}

    def _ids(self, text: str) -> list[int]:
        ids = self.labeller.encode(one_line(text))[: self.labeller.max_length]
        if not ids:
            raise UserError("source is empty: type a text")
        return ids

    def _read(self, texts: list[list[int]], embed: bool = True) -> tuple[Tensor, Tensor]:
        source = Padded.from_sequences(texts).to(self.model.device)
        return self.model.source_embedding(source.values) if embed else source.values, source.lengths

    def _without(self, ids: list[int], whole: list[float], ticket: Ticket) -> list[list[float]] | None:
        if len(ids) < 2:
            return None
        others = [ids[:place] + ids[place + 1 :] for place in range(len(ids))]
        rows = []
        for start in range(0, len(others), AT_ONCE):
            ticket.check()
            rows += self.labeller.probabilities(others[start : start + AT_ONCE], AT_ONCE)
        return [[round(other - own, 7) for other, own in zip(row, whole, strict=True)] for row in rows]
