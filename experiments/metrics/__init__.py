"""What is measured of texts: hypotheses beside references, and whether they are code at all."""

from experiments.metrics.code import ParsesAsBash, ParsesAsPython
from experiments.metrics.text import (
    BLEU,
    CharacterErrorRate,
    ChrF,
    EditRate,
    ExactMatch,
    SymbolErrorRate,
    TextMetric,
    WordErrorRate,
)

__all__ = [
    "BLEU",
    "CharacterErrorRate",
    "ChrF",
    "EditRate",
    "ExactMatch",
    "ParsesAsBash",
    "ParsesAsPython",
    "SymbolErrorRate",
    "TextMetric",
    "WordErrorRate",
]
