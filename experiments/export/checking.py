"""What was written, held against the model that it was written from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from datamodules.batch import BOS, EOS, PAD, SPECIAL_PIECES, UNK, Padded
from datamodules.errors import RunFailed
from experiments.export.format import Array, RunGraph
from experiments.export.graphs import Graphs
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.trace import trace
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

LENGTHS = (2, 9, 23)
"""Tokens of the longest source of a batch, EOS counted."""

BATCH_SIZES = (1, 3)

TOLERANCE = 1e-3
"""By how much a log-probability may differ from seqlab's own, in nats, and by its own size in addition."""

MOST_STEPS = 50
"""Tokens of a hypothesis at most: more would only take longer."""


def greatest_difference(model: TokenEncoderDecoder, graphs: Graphs, encoder: RunGraph, step: RunGraph) -> float:
    """Searches greedily by the graphs and by seqlab, on sources that are drawn.

    Args:
        model: What the graphs were written from, in evaluation mode.
        graphs: As they were written.
        encoder: The encoder as read from its file.
        step: The step as read from its file.

    Returns:
        The greatest difference of a log-probability, in nats.

    Raises:
        RunFailed: Tokens are not the same, or a difference is above :data:`TOLERANCE`.
    """
    generator = np.random.default_rng(0)
    greatest = 0.0
    for longest in LENGTHS:
        for size in BATCH_SIZES:
            lengths = [longest, *(int(each) for each in generator.integers(1, longest + 1, size - 1))]
            sources = [_drawn(model, length, graphs.copies_unknown, generator) for length in lengths]
            greatest = max(greatest, _difference(model, graphs, encoder, step, sources))
    return greatest


def _drawn(model: TokenEncoderDecoder, length: int, copies_unknown: bool, generator: np.random.Generator) -> list[int]:
    """A source of so many tokens, EOS counted; a third of them are ids of its own, where it may have such."""
    known = model.source_embedding.num_embeddings
    ids = generator.integers(len(SPECIAL_PIECES), known, length - 1)
    if copies_unknown:
        own = generator.random(length - 1) < 1 / 3
        ids[own] = known + np.arange(own.sum())
    return [*(int(id_) for id_ in ids), EOS]


@torch.inference_mode()
def _difference(
    model: TokenEncoderDecoder, graphs: Graphs, encoder: RunGraph, step: RunGraph, sources: Sequence[list[int]]
) -> float:
    """That of one batch."""
    padded = Padded.from_sequences(sources)
    limits = np.minimum(model.length_limits(padded.lengths.numpy()), MOST_STEPS)
    found = greedy(graphs, encoder, step, padded.values.numpy(), padded.lengths.numpy(), limits)
    shape = f"{len(sources)} sources of at most {max(map(len, sources))} tokens"
    greatest = 0.0
    for source, limit, (ids, log_probabilities) in zip(sources, limits, found, strict=True):
        alone = Padded.from_sequences([source])
        (wanted,) = model.translate(alone, GreedySearch(max_length=max(1, int(limit))))[0]
        if list(wanted.ids) != ids:
            raise RunFailed(
                f"the graphs are not the model: on {shape} greedy search finds other tokens ({ids} in place of "
                f"{list(wanted.ids)}); nothing was written"
            )
        exact = _as_wide(trace(model, alone, ids).log_probabilities.numpy(), log_probabilities.shape[1])
        if not np.allclose(log_probabilities, exact, rtol=TOLERANCE, atol=TOLERANCE):
            raise RunFailed(
                f"the graphs are not the model: on {shape} a log-probability differs by "
                f"{_greatest(log_probabilities, exact):.1e}, more than {TOLERANCE:.0e}; nothing was written"
            )
        greatest = max(greatest, _greatest(log_probabilities, exact))
    return greatest


def _as_wide(log_probabilities: Array, width: int) -> Array:
    """With further ids, none of which a source has."""
    further = width - log_probabilities.shape[1]
    return np.pad(log_probabilities, ((0, 0), (0, further)), constant_values=-np.inf)


def _greatest(some: Array, others: Array) -> float:
    """The greatest difference of finite numbers; what is impossible is so to both."""
    both = np.isfinite(some) & np.isfinite(others)
    return float(np.abs(some[both] - others[both]).max(initial=0.0))


def greedy(
    graphs: Graphs, encoder: RunGraph, step: RunGraph, source: Array, lengths: Array, limits: Array
) -> list[tuple[list[int], Array]]:
    """Searches greedily with the graphs alone, as whoever uses the files does.

    Args:
        graphs: As they were written.
        encoder: The encoder as read from its file.
        step: The step as read from its file.
        source: ``(batch, source_len)``.
        lengths: ``(batch,)``.
        limits: ``(batch,)``, the most tokens of each hypothesis.

    Returns:
        Of each source the ids, without EOS, and what each step said, EOS's too, ``(tokens, target_vocabulary)``.
    """
    encoded = encoder([source, lengths])
    memory, state = encoded[: len(graphs.memory)], encoded[len(graphs.memory) :]
    token = np.full(len(source), BOS)
    chosen, said = [], []
    ended = np.zeros(len(source), dtype=bool)
    while not ended.all():
        log_probabilities, *state = step([token, *memory, *state])
        said.append(log_probabilities)
        permitted = log_probabilities.copy()
        permitted[:, UNK] = -np.inf
        token = np.where(len(said) > limits, EOS, permitted.argmax(axis=1))
        chosen.append(np.where(ended, PAD, token))
        ended |= token == EOS
    found = []
    for row, tokens in enumerate(np.stack(chosen, axis=1)):
        count = int((tokens == EOS).argmax())
        found.append(([int(id_) for id_ in tokens[:count]], np.stack([each[row] for each in said[: count + 1]])))
    return found
