"""What a translation is to whoever asks from Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Translation:
    """A hypothesis of one line.

    Attributes:
        text: What the model writes; empty for an empty line.
        score: What hypotheses are ranked by: the log-probability, in beam search with its penalties.
        log_probability: Natural logarithm of the probability of the whole hypothesis, given the line.
        tokens: Its pieces, ``</s>`` at the end; none for an empty line.
        probabilities: ``(tokens,)``, of each token, given the line and the tokens before it.
        source_tokens: The pieces of the line, ``</s>`` at the end.
        heads: ``(heads, tokens, source_tokens)``, what each token attended to, by every head, those of the lowest layer
            first: each row sums to 1; None where the model has no attention.
    """

    text: str
    score: float
    log_probability: float
    tokens: tuple[str, ...]
    probabilities: NDArray[np.float64]
    source_tokens: tuple[str, ...]
    heads: NDArray[np.float32] | None

    @property
    def attention(self) -> NDArray[np.float32] | None:
        """``(tokens, source_tokens)``: the weights averaged over heads; None where the model has no attention."""
        return None if self.heads is None else self.heads.mean(axis=0)

    @classmethod
    def of_nothing(cls) -> Translation:
        """What an empty line is translated to."""
        return cls("", 0.0, 0.0, (), np.zeros(0), (), None)
