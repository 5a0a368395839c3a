"""A look into one attention of a trained model, at one target token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from experiments.figures.temperature import entropy_of
from lightning_modules.layers.attention import Attention
from lightning_modules.layers.attention.contributions import contributions
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


@dataclass(frozen=True)
class AttentionView:
    """What the decoder's topmost attention does at one target token.

    Attributes:
        scores: ``(source_len,)``, as the model's softmax takes them, over its own temperature, heads averaged.
        weights: ``(temperatures, source_len)``, the softmax of the scores over each temperature, heads averaged; at 1
            they are the model's own.
        entropies: ``(temperatures,)``, of the weights, in nats.
        contributions: ``(source_len,)``, the share of each position in the context, as the model has it: the
            projection of what the position adds onto the whole, over the whole's squared length. They sum to 1.
    """

    scores: np.ndarray
    weights: np.ndarray
    entropies: np.ndarray
    contributions: np.ndarray


@torch.no_grad()
def attention_view(
    model: TokenEncoderDecoder,
    source: Sequence[int],
    target: Sequence[int],
    position: int,
    temperatures: Sequence[float],
) -> AttentionView:
    """Runs the model over a pair under teacher forcing, and looks at what its topmost attention was given.

    Args:
        model: In evaluation mode.
        source: Ids, closed by EOS.
        target: Ids, without EOS.
        position: Position of the target token, counted from 0; ``len(target)`` is EOS.
        temperatures: At which the softmax is taken, on top of the model's own temperature.

    Raises:
        UserError: The model has no attention.
    """
    attention = model.decoder.attentions[-1]
    seen: list[tuple[Tensor, ...]] = []
    hook = attention.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    try:
        model(SequenceBatch.from_pairs([source[:-1]], [target], torch.zeros(1)))
    finally:
        hook.remove()
    # A decoder with a loop attends once for each target token, one without it once for all.
    query, keys, memory, _ = seen[position] if len(seen) > 1 else seen[0]
    query = query if len(seen) > 1 else query[:, position : position + 1]
    assert isinstance(attention, Attention)
    scores = attention.score(query, keys) / attention.temperature
    if not scores.shape[1]:
        raise UserError("the model of this checkpoint has no attention")
    weights = torch.stack([(scores / temperature).softmax(dim=-1)[0, :, 0].mean(dim=0) for temperature in temperatures])
    shares = contributions(attention, scores.softmax(dim=-1), keys, memory).shares[0, 0]
    return AttentionView(
        scores[0, :, 0].mean(dim=0).numpy(),
        weights.numpy(),
        entropy_of(weights.double().numpy()),
        shares.numpy(),
    )
