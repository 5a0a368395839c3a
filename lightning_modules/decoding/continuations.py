"""The best tokens of a large vocabulary, without sorting it."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.decoding.prefixes import Integers, Numbers

CHUNK = 64
"""Tokens that are looked at as one, where so many divide the vocabulary, or no other of :data:`CHUNKS` does."""

CHUNKS = sorted(range(32, 129), key=lambda size: (size % 16 > 0, abs(size - CHUNK)))
"""So many and the others, the best first: by sixteens a maximum takes half of the time."""


def best_continuations(prefixes: Numbers, log_probabilities: Tensor, count: int) -> tuple[Numbers, Integers, Integers]:
    """The most probable continuations of the prefixes of each sentence by one token.

    The vocabulary is cut into chunks. The best ``count`` continuations are all within the ``count`` chunks of the
    greatest maxima, so that the rest need not be looked at again: the maximum of a chunk takes a fraction of the time
    that ``topk`` takes for its tokens.

    Args:
        prefixes: ``(sentences, width)``, the log-probability of each prefix; minus infinity where it is not used.
        log_probabilities: ``(sentences * width, vocabulary)``, of the next token.
        count: How many, at most ``width * vocabulary``.

    Returns:
        Three arrays ``(sentences, count)``, the best first: the log-probability of the longer prefix, the row that it
        continues, and its new token. Where the first is minus infinity, there was none left.
    """
    sentences, width = prefixes.shape
    vocabulary = log_probabilities.shape[1]
    chunk = _chunk(vocabulary)
    if vocabulary % chunk:
        log_probabilities = functional.pad(log_probabilities, (0, -vocabulary % chunk), value=-torch.inf)
    before = torch.as_tensor(prefixes, device=log_probabilities.device)
    parts = log_probabilities.view(sentences, -1, chunk)
    chunks = parts.shape[1] // width
    greatest = (before[:, :, None] + parts.amax(dim=2).view(sentences, width, chunks)).flatten(1)
    chosen = greatest.topk(min(count, greatest.shape[1]), dim=1).indices
    near = parts.gather(1, chosen[:, :, None].expand(-1, -1, chunk))
    totals = before.gather(1, chosen // chunks)[:, :, None] + near
    best, position = (each.cpu().numpy() for each in totals.flatten(1).topk(count, dim=1))
    here = np.arange(sentences)[:, None]
    part = chosen.cpu().numpy()[here, position // chunk]
    token = part % chunks * chunk + position % chunk
    return best, here * width + part // chunks, token.clip(max=vocabulary - 1)


@cache
def _chunk(vocabulary: int) -> int:
    return next((size for size in CHUNKS if vocabulary % size == 0), CHUNK)
