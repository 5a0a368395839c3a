"""Macro F1 against precision and recall by hand and against torchmetrics; a class that is not there breaks nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_f1_score

from experiments.metrics import Accuracy, MacroF1
from experiments.metrics.classes import confusion_matrix, macro_f1


def test_against_another_way(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, predicted = generator.integers(0, 5, 60), generator.integers(0, 6, 60)
    matrix = confusion_matrix(list(zip(labels, predicted, strict=True)), 8)
    given = torch.from_numpy(predicted), torch.from_numpy(labels)
    assert np.array_equal(matrix, multiclass_confusion_matrix(*given, num_classes=8).numpy())
    assert macro_f1(matrix) == pytest.approx(float(multiclass_f1_score(*given, num_classes=8, average="macro")))


def test_which_classes_count() -> None:
    """Class 0: precision 1, recall 1/2. Class 1: both 1. Class 2 is predicted, and never a label. Class 3: neither."""
    matrix = confusion_matrix([(0, 0), (0, 2), (1, 1)], 4)
    assert macro_f1(matrix) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert macro_f1(confusion_matrix([(1, 1)], 4)) == 1.0
    assert macro_f1(confusion_matrix([(1, 2)], 4)) == 0.0


def test_labels_that_are_texts_are_counted_alike(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, predicted = generator.integers(0, 4, 50).tolist(), generator.integers(0, 5, 50).tolist()
    pairs = list(zip(labels, predicted, strict=True))
    f1, accuracy = MacroF1(), Accuracy()
    told = f1.over([f1.counts(f"class {p}", f"class {t}") for t, p in pairs])
    assert told == pytest.approx(macro_f1(confusion_matrix(pairs, 5)), rel=1e-14)  # the classes in another order
    right = sum(label == other for label, other in pairs)
    assert accuracy.over([accuracy.counts(f"class {p}", f"class {t}") for t, p in pairs]) == right / 50
