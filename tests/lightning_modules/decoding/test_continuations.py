"""The best continuations against sorting all of them."""

import numpy as np
import pytest
import torch

from lightning_modules.decoding.continuations import CHUNK, best_continuations

PRIME = 331
"""No number of tokens divides it."""


@pytest.mark.parametrize("vocabulary", [3, CHUNK - 1, CHUNK, 5 * CHUNK, 5 * (CHUNK + 1), PRIME])
@pytest.mark.parametrize("width", [1, 4])
def test_the_best_of_all(width: int, vocabulary: int, seed: int) -> None:
    log_probabilities = torch.randn(3 * width, vocabulary).log_softmax(dim=1)
    log_probabilities[torch.rand(log_probabilities.shape) < 0.3] = -torch.inf
    prefixes = torch.randn(3, width)
    prefixes[1, -1] = -torch.inf
    everything = (prefixes.flatten()[:, None] + log_probabilities).view(3, -1)
    for count in (1, 2, min(10, everything.shape[1]), everything.shape[1]):
        best, rows, tokens = best_continuations(prefixes.numpy(), log_probabilities, count)
        np.testing.assert_array_equal(best, everything.topk(count, dim=1).values.numpy())
        assert (rows // width == np.arange(3)[:, None]).all()
        assert (tokens < vocabulary).all()
        again = (prefixes.flatten()[rows] + log_probabilities[rows, tokens]).numpy()
        known = np.isfinite(best)
        np.testing.assert_array_equal(again[known], best[known])
        for row in range(3):
            pairs = list(zip(rows[row][known[row]].tolist(), tokens[row][known[row]].tolist(), strict=True))
            assert len(set(pairs)) == len(pairs), "none comes twice"
