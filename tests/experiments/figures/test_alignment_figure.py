"""The heat map, judged by what stands on the canvas."""

from __future__ import annotations

import io
import itertools
import logging
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from experiments.figures.alignment import ZERO_COLOUR, alignment_figure

pytestmark = pytest.mark.drawn

SOURCE = ["the", "green", "house", "</s>"]
HYPOTHESIS = ["la", "maison", "verte", "</s>", "end"]


def pixels(figure: Figure) -> np.ndarray:
    """(height, width, 3), 0 to 1, the first row on top."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255


def label_centres(figure: Figure) -> tuple[dict[str, float], dict[str, float]]:
    """Where each source label stands from the left, and each target label from the top, in pixels."""
    figure.canvas.draw()
    axes, height = figure.axes[0], figure.bbox.height
    boxes = {
        axis: {label.get_text(): label.get_window_extent() for label in labels}
        for axis, labels in (("x", axes.get_xticklabels()), ("y", axes.get_yticklabels()))
    }
    return (
        {text: (box.x0 + box.x1) / 2 for text, box in boxes["x"].items()},
        {text: height - (box.y0 + box.y1) / 2 for text, box in boxes["y"].items()},
    )


def colours(figure: Figure) -> dict[tuple[str, str], np.ndarray]:
    """The colour of the cell below each source label, beside each target label."""
    columns, rows = label_centres(figure)
    canvas = pixels(figure)
    return {(source, target): canvas[round(y), round(x)] for source, x in columns.items() for target, y in rows.items()}


def test_the_first_target_row_is_on_top_and_the_source_runs_from_left_to_right() -> None:
    weights = np.full((5, 4), 0.001)
    weights[1, 2] = 1.0
    figure = alignment_figure(SOURCE, HYPOTHESIS, weights, "title")
    columns, rows = label_centres(figure)

    assert [columns[token] for token in SOURCE] == sorted(columns.values())
    assert [rows[token] for token in HYPOTHESIS] == sorted(rows.values())
    assert all(
        label.get_window_extent().y0 > figure.axes[0].get_window_extent().y1
        for label in figure.axes[0].get_xticklabels()
    ), "the source stands above the map"
    brightness = {cell: colour.mean() for cell, colour in colours(figure).items()}
    assert min(brightness, key=brightness.__getitem__) == ("house", "maison")


def test_the_colours_are_the_same_in_every_figure() -> None:
    def half(others: float) -> np.ndarray:
        return colours(alignment_figure(["a", "b"], ["c"], [[0.5, others]]))["a", "c"]

    np.testing.assert_allclose(half(0.01), half(0.5))


def test_attention_that_is_nearly_uniform_shows_its_differences() -> None:
    weights = np.array([[0.249, 0.251, 0.250, 0.250], [0.250, 0.250, 0.248, 0.252]])
    figure = alignment_figure(SOURCE, ["la", "maison"], weights)
    brightness = {cell: colour.mean() for cell, colour in colours(figure).items()}
    assert min(brightness, key=brightness.__getitem__) == ("</s>", "maison")
    assert max(brightness, key=brightness.__getitem__) == ("house", "maison")
    assert max(brightness.values()) - min(brightness.values()) > 0.5
    bar = figure.axes[1]
    assert bar.get_ylabel() == "attention weight\ncolours from 0.2480 to 0.2520"
    ticks = [label.get_text() for label in bar.get_yticklabels()]
    assert ticks == ["0.2480", "0.2488", "0.2496", "0.2504", "0.2512", "0.2520"]


def test_what_differs_by_rounding_alone_is_not_drawn_as_different() -> None:
    figure = alignment_figure(SOURCE, ["la"], np.array([[0.25, 0.25, 0.25 + 1e-8, 0.25 - 1e-8]]))
    shades = np.array(list(colours(figure).values()))
    assert np.ptp(shades, axis=0).max() < 0.01
    assert figure.axes[1].get_ylabel() == "attention weight\nevery weight is 0.25"


@pytest.mark.parametrize("padding", [0, 2])
def test_from_a_half_on_the_colours_are_those_of_every_figure(padding: int) -> None:
    zeros = np.zeros((1, padding))
    for high, is_whole in ((0.5, True), (0.49, False)):
        weights = np.concatenate([[[high, 1 - high - 0.2, 0.2]], zeros], axis=1)
        figure = alignment_figure([*"abc", *["<pad>"] * padding], ["la"], weights)
        assert (figure.axes[1].get_ylim() == (0.0, 1.0)) == is_whole
        assert ("colours from 0.20 to 0.49" in figure.axes[1].get_ylabel()) != is_whole
        assert ("exactly 0" in figure.axes[1].get_ylabel()) == bool(padding)


def test_exactly_zero_is_grey_and_almost_zero_is_not() -> None:
    figure = alignment_figure(["a", "b", "<pad>"], ["c"], [[1 - 1e-9, 1e-9, 0.0]])

    seen = colours(figure)
    np.testing.assert_allclose(seen["<pad>", "c"], to_rgb(ZERO_COLOUR), atol=0.01)
    assert np.abs(seen["b", "c"] - to_rgb(ZERO_COLOUR)).max() > 0.05
    assert "exactly 0" in figure.axes[1].get_ylabel()


def test_there_is_a_colour_bar_from_0_to_1() -> None:
    bar = alignment_figure(["a"], ["b"], [[0.3]]).axes[1]

    assert bar.get_ylim() == (0.0, 1.0)
    assert bar.get_ylabel() == "attention weight\nevery weight is 0.3"


@pytest.mark.parametrize("shape", [(4, 5), (5, 3), (20,), (1, 5, 4)])
def test_weights_that_do_not_fit_name_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="attention of shape") as caught:
        alignment_figure(SOURCE, HYPOTHESIS, np.ones(shape))
    assert str(shape) in str(caught.value)
    assert "(5, 4)" in str(caught.value)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_an_error(bad: float) -> None:
    weights = np.full((5, 4), 0.25)
    weights[2, 2] = bad
    with pytest.raises(ValueError, match="negative or not a finite number"):
        alignment_figure(SOURCE, HYPOTHESIS, weights)


def test_pieces_are_shown_for_people() -> None:
    figure = alignment_figure(["▁an", "im", "als", "▁", "</s>"], ["<unk>", "$x$", "a\nb"], np.ones((3, 5)) / 5)

    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["an", "·im", "·als", "␣", "</s>"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["<unk>", "$x$", "a�b"]


def test_every_script_is_drawn_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    tokens = ["漢字", "한글", "שלום", "हिन्दी", "😀", "$\\frac{$", "e\u0301", "\U0010ffff"]
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        figure = alignment_figure(tokens, tokens, np.eye(len(tokens)), "costs $5 or 漢字 $6")
        figure.savefig(io.BytesIO(), format="png")
    assert not caplog.records


def test_a_long_sentence_stays_readable_and_small() -> None:
    length = 60
    tokens = [f"wordnumber{i}" for i in range(length)]
    figure = alignment_figure(tokens, tokens, np.full((length, length), 0.01))
    png = io.BytesIO()
    figure.savefig(png, format="png")
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]

    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes)), "labels run together"
    assert figure.get_size_inches().max() < 22
    assert len(png.getvalue()) < 500_000
