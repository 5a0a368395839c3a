"""The confusion matrix as it is drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest

from experiments.figures.confusion import confusion_figure

pytestmark = pytest.mark.drawn


def test_cells_are_shares_of_the_label_and_counts() -> None:
    matrix = np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    figure = confusion_figure(matrix, ["a $x_1$", "b" * 40, "三"], "step 7")
    axes = figure.axes[0]
    assert np.allclose(axes.get_images()[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [0, 0.5, 0.5]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a $x_1$  4", "b" * 23 + "…  0", "三  4"]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2", "2", "3"]
    figure.savefig(io.BytesIO(), format="png")


def test_many_classes_have_no_numbers() -> None:
    figure = confusion_figure(np.eye(40, dtype=int), [str(each) for each in range(40)])
    assert not figure.axes[0].texts
    assert max(figure.get_size_inches()) < 18
