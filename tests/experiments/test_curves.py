"""Learning curves show what was logged, and nothing else."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from experiments.figures.curves import learning_curves, read_metrics

HEADER = "step,epoch,time,train/loss,train/learning_rate,val/loss,val/bleu,train/gradient_norm\n"


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(
        HEADER
        + "9,0,1.5,4.0,,,,2.5\n"
        + "9,,1.5,,0.001,,,\n"
        + "9,0,2.5,,,3.5,10.0,\n"
        + "19,1,3.5,3.0,,,,0.5\n"
        + "19,1,4.5,,,2.5,30.0,\n"
        + "29,2,5.5,,,2.75,20.0,\n"
    )
    return path


def test_each_line_has_exactly_the_logged_points(metrics: Path) -> None:
    lines = {
        line.get_label(): [np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()]
        for axes in learning_curves(metrics).axes
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }

    assert lines == {
        "train/loss": [[9, 19], [4.0, 3.0]],
        "val/loss": [[9, 19, 29], [3.5, 2.5, 2.75]],
        "val/bleu": [[9, 19, 29], [10.0, 30.0, 20.0]],
        "train/learning_rate": [[9], [0.001]],
        "train/gradient_norm": [[9, 19], [2.5, 0.5]],
    }


def test_the_best_validation_is_marked(metrics: Path) -> None:
    loss, quality, *_ = learning_curves(metrics).axes

    def notes(axes: Axes) -> list[tuple[str, tuple[float, float]]]:
        return [(note.get_text(), note.xy) for note in axes.texts if isinstance(note, Annotation)]

    assert notes(loss) == [("2.5", (19, 2.5))]
    assert notes(quality) == [("30", (19, 30.0))]


def test_axes_say_what_they_show(metrics: Path) -> None:
    for axes in learning_curves(metrics).axes:
        assert axes.get_title(loc="left")
        assert axes.get_ylabel()
        assert axes.get_xlabel() == "optimizer step"


def test_a_metric_that_was_not_logged_has_no_panel(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,0,1.0,4.0,,,,\n")

    assert [axes.get_title(loc="left") for axes in learning_curves(path).axes] == ["Loss"]


def test_an_empty_run_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER)

    figure = learning_curves(path)
    assert not figure.axes
    assert [text.get_text() for text in figure.texts] == ["nothing was logged"]


def test_values_that_are_not_finite_are_drawn_around(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,0,1.0,nan,,nan,,inf\n1,0,1.0,2.0,,inf,,-1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning_curves(path).savefig(io.BytesIO(), format="png")

    assert read_metrics(path)["train/loss"].steps == [0, 1]


def test_an_evaluation_of_an_older_checkpoint_does_not_bend_the_curves(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch,time,val/loss\n2,0,1.0,3.0\n5,1,2.0,2.0\n2,0,3.0,3.5\n8,2,4.0,1.0\n")
    logged = read_metrics(path)["val/loss"]
    assert (logged.steps, logged.values) == ([2, 5, 8], [3.0, 2.0, 1.0])
