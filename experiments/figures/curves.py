"""Learning curves, drawn from nothing but the rows of a run's ``metrics.csv``."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from datamodules.errors import UserError
from experiments.figures.whole_numbers import count_in_whole_numbers
from experiments.storage.layout import METRICS
from experiments.storage.metrics_table import read_metrics
from lightning_modules.metrics import Scale

STAGE_COLOURS = {"train": "#6f9bc6", "val": "#d1495b"}
"""The colour of the first metric of a stage."""

OTHER_COLOURS = ("#2f4b7c", "#e07b39", "#3a7d44", "#7a5195")
"""The colours of the rest."""

PANEL_SIZE = (5.2, 3.0)
"""Inches of width and height."""

TITLE_WIDTH, LEGEND_WIDTH = 42, 60
"""Characters that fit into a line of a panel."""


@dataclass(frozen=True)
class Series:
    """What was logged of one metric.

    Attributes:
        steps: The optimizer steps, as logged, in rising order.
        values: A value for each step.
    """

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Panel:
    """One of the small pictures that make the figure.

    Attributes:
        title: What it shows.
        unit: The label of its vertical axis.
        metrics: Names of its metrics, in the order of the legend.
        best: Chooses among the values of a ``val/`` metric the one to mark with a ring and to tell in the legend, where
            it covers nothing; None marks nothing.
        logarithmic: Whether the vertical axis is.
    """

    title: str
    unit: str
    metrics: Sequence[str]
    best: Callable[[list[float]], float] | None = None
    logarithmic: bool = False

    def chosen(self, logged: dict[str, Series]) -> dict[str, Series]:
        """The logged metrics that belong here."""
        return {name: logged[name] for name in self.metrics if name in logged}


BEST: dict[str, Callable[[list[float]], float]] = {"higher": max, "lower": min}

PANELS = (
    Panel("Loss", "nats per token or label", ("train/loss", "val/loss", "val/loss_free_running"), best=min),
    Panel("Translation quality", "BLEU, chrF (0 to 100)", ("val/bleu", "val/chrf"), best=max),
    Panel("Perplexity", "perplexity", ("val/perplexity",), best=min, logarithmic=True),
    Panel("Exact match", "share of sentences", ("val/exact_match",), best=max),
    Panel("Accuracy", "share predicted right", ("val/accuracy", "val/accuracy_free_running"), best=max),
    Panel("Edit rate", "edits per target token", ("val/edit_rate", "val/edit_rate_free_running"), best=min),
    Panel("Learning rate", "learning rate", ("train/learning_rate",)),
    Panel("Gradient norm, before clipping", "L2 norm", ("train/gradient_norm",), logarithmic=True),
    Panel("Throughput", "tokens per second", ("train/tokens_per_second",)),
)
"""Metrics whose unit is known, and which of two values is better."""

TEST = "test/"
"""How the metrics begin that training does not log."""

MOST_OTHER_PANELS = 24
"""Panels of other metrics; a callback that logs the state of the machine has hundreds."""


def read_series(metrics_csv: Path) -> dict[str, Series]:
    """Reads what a run logged.

    Args:
        metrics_csv: The run's ``metrics.csv``.

    Returns:
        The series of each metric that was logged at least once, in the order of the columns. Of several values at one
        step the first counts, which is training's own.
    """
    series: dict[str, Series] = {}
    for name, logged in read_metrics(metrics_csv).items():
        values: dict[int, float] = {}
        for each in logged:
            values.setdefault(each.step, each.value)
        series[name] = Series(sorted(values), [values[step] for step in sorted(values)])
    return series


def run_series(path: Path) -> dict[str, Series]:
    """Reads what a run logged, as :func:`read_series` does.

    Args:
        path: The run's directory, or its ``metrics.csv``.

    Raises:
        UserError: Nothing was logged there, or the file is no table of metrics.
    """
    file = path / METRICS if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"there is no {METRICS} in {path}: give the directory of a run, as runs/dates/1")
    try:
        return read_series(file)
    except (KeyError, ValueError) as error:
        raise UserError(f"{file} is no table of metrics: {error}") from error


def learning_curves(metrics_csv: Path, scales: Mapping[str, Scale] | None = None) -> Figure:
    """Draws what a run logged over its steps: the loss and the scores first, then every other metric by its own name.

    Only what was logged is drawn: no smoothing, no panel without data. Values of a test are no curve, and of very many
    other metrics, as a callback logs them of the machine, the figure says how many it leaves out.

    Args:
        metrics_csv: The run's ``metrics.csv``.
        scales: What the model and the metrics say of their units, by the names of metrics.

    Returns:
        A figure without ties to pyplot; where nothing was logged, it says so.
    """
    logged = read_series(metrics_csv)
    scales = scales or {}
    others = _other_panels(logged, scales)
    drawn = [*(_scaled(panel, scales) for panel in PANELS), *others[:MOST_OTHER_PANELS]]
    panels = [(panel, chosen) for panel in drawn if (chosen := panel.chosen(logged))]
    columns = min(2, max(1, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    figure = Figure(figsize=(PANEL_SIZE[0] * columns, PANEL_SIZE[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (panel, chosen) in enumerate(panels, start=1):
        _draw_panel(figure.add_subplot(rows, columns, place), panel, chosen)
    if not panels:
        figure.text(0.5, 0.5, "nothing was logged", ha="center", va="center", color="#555555")
    if left_out := sum(len(panel.metrics) for panel in others[MOST_OTHER_PANELS:]):
        figure.supxlabel(f"{left_out} more metrics are in {metrics_csv.name}", color="#555555", fontsize=9)
    return figure


def _scaled(panel: Panel, scales: Mapping[str, Scale]) -> Panel:
    """The panel, with the unit that is told of its first metric that any is told of."""
    told = next((scales[name] for name in panel.metrics if name in scales), None)
    return panel if told is None else replace(panel, unit=told.unit)


def _other_panels(logged: dict[str, Series], scales: Mapping[str, Scale]) -> list[Panel]:
    """A panel for each metric that has none in :data:`PANELS`, all stages of it together; validation's come first."""
    known = {name for panel in PANELS for name in panel.metrics}
    panels: dict[str, list[str]] = {}
    for name in sorted(logged, key=lambda name: not name.startswith("val/")):
        if name not in known and not name.startswith(TEST):
            panels.setdefault(_without_stage(name), []).append(name)
    found = []
    for title, names in panels.items():
        scale = next((scales[name] for name in names if name in scales), Scale("as logged"))
        found.append(Panel(title, scale.unit, names, BEST[scale.better] if scale.better else None))
    return found


def _without_stage(name: str) -> str:
    stage, _, rest = name.partition("/")
    return rest if stage in STAGE_COLOURS and rest else name


def _draw_panel(axes: Axes, panel: Panel, chosen: dict[str, Series]) -> None:
    colours = _colours(list(chosen))
    for name, series in chosen.items():
        is_validation = name.startswith("val/")
        best = _best(series, panel.best) if panel.best and is_validation else None
        axes.plot(
            series.steps,
            series.values,
            label=textwrap.fill(name if best is None else f"{name} (best {best[1]:.4g})", LEGEND_WIDTH),
            color=colours[name],
            linewidth=1.8 if is_validation else 1.0,
            marker="o" if len(series.steps) <= 40 else "",
            markersize=3,
        )
        if best is not None:
            axes.plot(*best, marker="o", markersize=7, markerfacecolor="none", markeredgecolor=colours[name])
    if panel.logarithmic and all(value > 0 for series in chosen.values() for value in series.values):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
    title = axes.set_title(textwrap.fill(panel.title, TITLE_WIDTH), fontsize=11, loc="left", fontweight="bold")
    axes.set_xlabel("optimizer step", color="#555555", fontsize=9)
    axes.set_ylabel(panel.unit, color="#555555", fontsize=9)
    count_in_whole_numbers(axes.xaxis)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(fontsize=8, frameon=False)
    for text in (title, *legend.get_texts()):
        text.set_parse_math(False)  # a dollar sign in a metric's name is no mathematics


def _colours(names: list[str]) -> dict[str, str]:
    """A colour for each metric of a panel, none of them twice."""
    stages = dict(STAGE_COLOURS)
    others = itertools.cycle(OTHER_COLOURS)
    return {name: stages.pop(stage, "") or next(others) for name in names for stage in [name.split("/")[0]]}


def _best(series: Series, choose: Callable[[list[float]], float]) -> tuple[int, float] | None:
    """The step and value of the best finite value; None where no value is finite."""
    finite = [value for value in series.values if math.isfinite(value)]
    if not finite:
        return None
    value = choose(finite)
    return series.steps[series.values.index(value)], value
