"""What is measured of texts: hypotheses beside references and sources, labels, and whether they are code at all."""

from experiments.metrics.classes import Accuracy, MacroF1
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
    "Accuracy",
    "CharacterErrorRate",
    "ChrF",
    "CopyRate",
    "CorpusMetric",
    "Distinct",
    "EditRate",
    "ExactMatch",
    "Example",
    "LengthRatio",
    "MacroF1",
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
