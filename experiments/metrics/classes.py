"""Metrics of classes: which is taken for which, and F1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.metrics.measure import TextMetric, number_of
from experiments.metrics.text import ExactMatch


def confusion_matrix(verdicts: Sequence[tuple[int, int]], classes: int) -> np.ndarray:
    """How often each class is taken for each.

    Args:
        verdicts: Label and prediction of each sequence, counted from 0.
        classes: Number of classes.

    Returns:
        ``(classes, classes)``, int64: rows are labels, columns predictions.
    """
    matrix = np.zeros((classes, classes), dtype=np.int64)
    labels, predictions = np.array(verdicts, dtype=np.int64).reshape(-1, 2).T
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def macro_f1(matrix: np.ndarray) -> float:
    """The mean over classes of ``2 TP / (2 TP + FP + FN)``, which is the harmonic mean of precision and recall.

    A class that is neither a label nor predicted has no F1, and is left out of the mean, as scikit-learn's ``f1_score``
    has it; one that is predicted, but never a label, counts as 0.

    Args:
        matrix: From :func:`confusion_matrix`, of at least one sequence.
    """
    hits = np.diag(matrix)
    counts = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float((2 * hits[counts > 0] / counts[counts > 0]).mean())


class Accuracy(ExactMatch):
    """The share of labels that are right, 0 to 1."""

    name = "accuracy"
    unit = "accuracy"


class MacroF1(TextMetric):
    """The mean F1 of the labels, 0 to 1; see :func:`macro_f1`."""

    name = "macro_f1"
    unit = "macro F1"

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """Both labels, a number for each: they are counted together; see :meth:`TextMetric.counts`."""
        return number_of(reference), number_of(hypothesis)

    def over(self, counts: Sequence[Sequence[float]]) -> float:
        """See :meth:`CorpusMetric.over`."""
        labels, places = np.unique(np.array(counts), return_inverse=True)
        return macro_f1(confusion_matrix([(row[0], row[1]) for row in places.reshape(-1, 2).tolist()], len(labels)))

    def value(self, sums: Sequence[float]) -> float:
        """Labels do not add up: see :meth:`over`."""
        raise TypeError("macro F1 is made of all labels, not of sums")
