"""The model that all systems train, and how: the numbers that go into the toolkits' configs.

One layer of a bidirectional LSTM as the encoder; one layer of an LSTM as the decoder, which starts from the encoder's
last state through a bridge and is fed its last output; additive attention; a linear of state and context before the
vocabulary. Adam at a constant rate, float32.
"""

from __future__ import annotations

EMBEDDING_SIZE = 256
DIRECTION_SIZE = 256
"""Width of the encoder's LSTM in each direction."""

HIDDEN_SIZE = 512
"""Width of the decoder, of the attention and of what the vocabulary's projection reads."""

BATCH_SIZE = 64
"""Sentences of an update."""

LEARNING_RATE = 0.001
CLIP_NORM = 1.0
LABEL_SMOOTHING = 0.1
DROPOUT = 0.3
SEED = 1

MAX_LENGTH = 100
"""Most tokens of a hypothesis."""

LENGTH_PENALTY = 1.0
"""The exponent of ``(5 + length) / 6``, by which a hypothesis's log-probability is divided."""

REPORT_EVERY = 20
"""Updates between two reports of a toolkit."""

WARM_UP_REPORTS = 1
"""Reports of the first updates, which do not count."""

MIN_STEPS = REPORT_EVERY * (WARM_UP_REPORTS + 1)
"""Fewer updates tell no speed."""

NEVER = REPORT_EVERY * 1_000_000
"""In place of how often to validate: what is measured is training."""
