"""What models cost, in four pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.figures.comparison_style import TEXT, colours_of, plain
from experiments.figures.whole_numbers import count_in_whole_numbers


@dataclass(frozen=True)
class Bars:
    """What is drawn of one model.

    Attributes:
        name: Its name.
        parameters: Their number.
        latency: Median and 95th percentile, in milliseconds.
        memory: The peak in MiB, and how much of it is the model's.
        quality: Mean and standard deviation.
    """

    name: str
    parameters: int
    latency: tuple[float, float]
    memory: tuple[float, float]
    quality: tuple[float, float]


def benchmark_figure(models: Sequence[Bars], quality: str) -> Figure:
    """Draws parameters, latency, memory, and quality over latency.

    Args:
        models: What to draw.
        quality: What the quality is.

    Returns:
        A figure without ties to pyplot.
    """
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    (parameters, latency), (memory, reached) = figure.subplots(2, 2)
    names, colours = [model.name for model in models], list(colours_of(model.name for model in models).values())
    parameters.bar(names, [model.parameters for model in models], color=colours)
    count_in_whole_numbers(parameters.yaxis)
    _prepare(parameters, "parameters")
    latency.bar(names, [model.latency[0] for model in models], color=colours)
    latency.scatter(names, [model.latency[1] for model in models], marker="_", s=300, color=TEXT, zorder=3)
    _prepare(latency, "latency of one sequence (ms)\nbar: median; line: 95th percentile")
    memory.bar(names, [model.memory[1] for model in models], color=colours)
    _prepare(memory, "peak memory of training (MiB)\nabove a process without the model")
    for model, colour in zip(models, colours, strict=True):
        reached.errorbar(
            model.latency[0],
            model.quality[0],
            yerr=model.quality[1],
            label=model.name,
            color=colour,
            linestyle="",
            marker="o",
            markersize=7,
            capsize=3,
        )
    reached.legend(fontsize=8, frameon=False)
    reached.margins(0.25)
    _prepare(reached, quality)
    reached.set_xlabel("latency of one sequence (ms)", color=TEXT, fontsize=9)
    return figure


def _prepare(axes: Axes, label: str) -> None:
    plain(axes)
    axes.set_ylabel(label, color=TEXT, fontsize=9)
