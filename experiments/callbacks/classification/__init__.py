"""What is measured and shown of classifiers: scores of classes, errors, attention over words."""

from experiments.callbacks.classification.class_scores import ClassScores
from experiments.callbacks.classification.word_attention import WordAttention
from experiments.callbacks.classification.worst_errors import WorstErrors

__all__ = ["ClassScores", "WordAttention", "WorstErrors"]
