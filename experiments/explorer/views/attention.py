"""What a model attended to, step by step, and what the positions add to its contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.batch import BOS, Padded
from experiments.explorer.numbers import numbers
from experiments.figures.temperature import entropy_of
from lightning_modules.decoding.trace import Trace
from lightning_modules.layers.attention import Attention
from lightning_modules.layers.attention.contributions import contributions
from lightning_modules.layers.state import DecoderState, Memory
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


def attention_told(
    model: TokenEncoderDecoder, columns: Sequence[int], total: int, seen: Trace[Memory, DecoderState]
) -> dict[str, Any] | None:
    """What was attended to at each step, as plain values.

    Args:
        model: That was traced.
        columns: Where the columns of its source stand among all positions, of which it may not have got some.
        total: Number of positions, with the padding.
        seen: Its steps through a target.

    Returns:
        Weights, entropies, norms and shares; None where the model has no attention.
    """
    if not seen.weights.shape[0]:
        return None
    mean = seen.weights.mean(dim=0)
    layers = _contributions(model, seen)
    return {
        "heads": head_names(model, len(seen.weights)),
        "weights": numbers(_spread(seen.weights, columns, total)),
        "mean": numbers(_spread(mean, columns, total)),
        "entropy": numbers(entropy_of(seen.weights.double().cpu().numpy())),
        "mean_entropy": numbers(entropy_of(mean.double().cpu().numpy())),
        "norms": [numbers(_spread(norms, columns, total), 5) for norms, _ in layers],
        "shares": [numbers(_spread(shares, columns, total), 5) for _, shares in layers],
        "temperature": [attention.temperature for attention in attentions_of(model)],
    }


def decoder_outputs(model: TokenEncoderDecoder, seen: Trace[Memory, DecoderState], ids: Sequence[int]) -> Tensor:
    """What the model predicts each token from, ``(t, width)``.

    Args:
        model: That was traced.
        seen: Its steps through the target.
        ids: The target, without EOS.
    """
    inputs = Padded.from_sequences([[BOS, *ids]]).values.to(model.device)
    outputs, _, _ = model.decoder(model.target_embedding(inputs), seen.memory, seen.initial)
    hidden: Tensor = model.to_embedding(outputs[0])
    return hidden


def _contributions(model: TokenEncoderDecoder, seen: Trace[Memory, DecoderState]) -> list[tuple[Tensor, Tensor]]:
    """For each attention the norms and shares of the positions, ``(t, source_len)``."""
    found, first = [], 0
    for number, attention in enumerate(attentions_of(model)):
        if attention.heads:
            weights = seen.weights[None, first : first + attention.heads]
            norms, shares = contributions(attention, weights, seen.memory.keys[number], seen.memory.values)
            found.append((norms[0], shares[0]))
            first += attention.heads
    return found


def attentions_of(model: TokenEncoderDecoder) -> list[Attention]:
    """The attentions of a model's decoder, the lowest layer first.

    Args:
        model: Whose.
    """
    return [each for each in model.decoder.attentions if isinstance(each, Attention)]


def head_names(model: TokenEncoderDecoder, heads: int) -> list[dict[str, int]]:
    """The layer and the number of each head, counted from 0.

    Args:
        model: Whose.
        heads: How many distributions it gives.
    """
    names = [
        {"layer": layer, "head": head}
        for layer, attention in enumerate(attentions_of(model))
        for head in range(attention.heads)
    ]
    return names or [{"layer": 0, "head": head} for head in range(heads)]


def _spread(values: Tensor, columns: Sequence[int], total: int) -> Tensor:
    """The columns at their places among all of them, NaN at those that the model did not get.

    Args:
        values: ``(..., columns)``.
        columns: Their places.
        total: Number of places.
    """
    wide = values.new_full((*values.shape[:-1], total), torch.nan)
    wide[..., list(columns)] = values
    return wide
