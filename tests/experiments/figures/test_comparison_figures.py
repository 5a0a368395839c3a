"""The figures that compare variants draw what they are given, and nothing else."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from experiments.figures.curves import Series, learning_curves
from experiments.figures.differences import VariantValues, differences_figure
from experiments.figures.exposure import exposure_figure
from experiments.figures.lengths import length_figure
from experiments.figures.mean_curves import mean_curves_figure
from experiments.figures.numeric_axis import Line, numeric_axis_figure

pytestmark = pytest.mark.drawn

MINUS = "\N{MINUS SIGN}"


def drawn(figure: Figure) -> Figure:
    """The figure, after it was rendered without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png")
    return figure


def test_each_seed_is_a_dot_and_each_difference_an_interval() -> None:
    variants = [
        VariantValues("none", [0.5, 0.7], 0.6),
        VariantValues("near", [0.6, 0.7], 0.65, 0.05, (-0.2, 0.3)),
        VariantValues("far", [0.9, 0.9], 0.9, 0.3, (0.1, 0.5)),
    ]
    left, right = drawn(differences_figure({"": variants}, "accuracy", "95 %", ["none", "near", "far"])).axes
    dots = np.concatenate([np.asarray(scatter.get_offsets()) for scatter in left.collections[::2]])
    assert dots.tolist() == [[0.5, 0], [0.7, 0], [0.6, 1], [0.7, 1], [0.9, 2], [0.9, 2]]
    assert [label.get_text() for label in left.get_yticklabels()] == ["none", "near", "far"]
    means = {float(line.get_xdata()[0]): line for line in right.get_lines() if line.get_marker() == "o"}
    assert means[0.05].get_markerfacecolor() == "white", "what is not told apart is hollow"
    assert means[0.3].get_markerfacecolor() != "white"
    ends = [np.asarray(lines.get_segments()[0])[:, 0].tolist() for lines in right.collections]
    assert ends == [[-0.2, 0.3], [0.1, 0.5]]


def test_a_single_seed_and_several_panels_are_no_problem() -> None:
    variants = [VariantValues("first", [1.0], 1.0), VariantValues("second", [2.0], 2.0, 1.0)]
    figure = drawn(differences_figure({"copy": variants, "sort": variants}, "loss", "95 %", ["first", "second"]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["copy", "", "sort", ""]


def test_curves_have_the_mean_and_the_band_of_the_common_steps() -> None:
    seeds = [Series([4, 9, 14], [1.0, 2.0, 3.0]), Series([4, 9], [3.0, 2.5])]
    (axes,) = drawn(mean_curves_figure({("", "val/loss"): {"dot": seeds}}, ["dot"])).axes
    (line,) = axes.get_lines()
    assert np.asarray(line.get_xydata()).tolist() == [[4, 2.0], [9, 2.25]]
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 3.0)


@pytest.mark.parametrize("steps", [[4], [4, 5], [2, 4, 6, 8, 10, 12], [5, 11, 17], [0, 4_000_000, 9_999_999]])
def test_steps_are_counted_in_whole_numbers(steps: list[int], tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch,time,val/loss\n" + "".join(f"{step},0,1.0,2.0\n" for step in steps))
    series = [Series(steps, [1.0] * len(steps))]
    scores = {"exact_match": dict.fromkeys(steps, 1.0)}
    positions = [1.0] * len(steps)
    for figure in (
        learning_curves(path),
        mean_curves_figure({("", "val/loss"): {"dot": series}}, ["dot"]),
        length_figure(scores),
        exposure_figure(positions, (positions, positions), (positions, positions)),
    ):
        for axes in drawn(figure).axes:
            ticks = axes.get_xticks()
            assert any(axes.viewLim.x0 <= tick <= axes.viewLim.x1 for tick in ticks)
            assert [label.get_text() for label in axes.get_xticklabels()] == [
                f"{tick:,.0f}".replace("-", MINUS) for tick in ticks
            ]
            assert np.allclose(ticks, np.round(ticks))


def test_a_variant_has_its_colour_also_where_the_first_is_not_drawn() -> None:
    series = [Series([4, 9], [1.0, 2.0])]
    names = ["none", "dot", "general"]
    whole = drawn(mean_curves_figure({("", "val/loss"): dict.fromkeys(names, series)}, names))
    part = drawn(mean_curves_figure({("", "val/entropy"): {"general": series, "dot": series}}, names))
    colours = [{line.get_label(): line.get_color() for line in figure.axes[0].get_lines()} for figure in (whole, part)]
    assert colours[1] == {name: colours[0][name] for name in ("general", "dot")}


@pytest.mark.parametrize(("places", "scale"), [([5, 10, 20], "linear"), ([5, 50, 200], "log")])
def test_lines_stand_at_their_places_with_their_deviations(places: list[float], scale: str) -> None:
    line = Line("lstm", places, [0.9, 0.8, 0.4], [0.01, 0.0, 0.2])
    (axes,) = drawn(numeric_axis_figure([line], "accuracy", "length")).axes
    (bars,) = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    points, _, (spans,) = bars
    assert points is not None
    assert np.asarray(points.get_xydata()).tolist() == [[x, y] for x, y in zip(places, [0.9, 0.8, 0.4], strict=True)]
    lows = [np.asarray(segment)[0, 1] for segment in spans.get_segments()]
    assert lows == pytest.approx([0.89, 0.8, 0.2])
    assert axes.get_xscale() == scale
    assert [label.get_text() for label in axes.get_xticklabels()] == [f"{x:g}" for x in places]
