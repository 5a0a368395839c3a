"""What is measured of texts: hypotheses beside references and sources, and whether they are code at all."""

from experiments.metrics.code import ParsesAsBash, ParsesAsPython
from experiments.metrics.diversity import Distinct
from experiments.metrics.measure import CorpusMetric, Example, TextMetric
from experiments.metrics.slots import SlotAccuracy
from experiments.metrics.summaries import CopyRate, LengthRatio, Novelty, Rouge1, Rouge2, RougeL
from experiments.metrics.text import (
    BLEU,
    CharacterErrorRate,
    ChrF,
    EditRate,
    ExactMatch,
    SymbolErrorRate,
    WordErrorRate,
)

__all__ = [
    "BLEU",
    "CharacterErrorRate",
    "ChrF",
    "CopyRate",
    "CorpusMetric",
    "Distinct",
    "EditRate",
    "ExactMatch",
    "Example",
    "LengthRatio",
    "Novelty",
    "ParsesAsBash",
    "ParsesAsPython",
    "Rouge1",
    "Rouge2",
    "RougeL",
    "SlotAccuracy",
    "SymbolErrorRate",
    "TextMetric",
    "WordErrorRate",
]
