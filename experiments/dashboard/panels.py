"""Sections as panels of W&B."""

from __future__ import annotations

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces.reports.v2.interface import PanelTypes

from experiments.dashboard.sections import Section
from experiments.loggers.run_wandb import STEP

WIDTH = 24
"""Columns of a report."""

HEIGHT = 12
"""Rows of what takes all its width."""


def number_panels(section: Section, with_bands: bool) -> list[PanelTypes]:
    """The curves of a section through the optimizer steps, and the bars of a test.

    Args:
        section: The section.
        with_bands: Whether a line is the mean of several runs; its band is their standard deviation.
    """
    panels: list[wr.LinePlot | wr.BarPlot] = [
        *(wr.LinePlot(title=name, x=STEP, y=[name]) for name in section.curves),
        *(wr.BarPlot(title=name, metrics=[name]) for name in section.bars),
    ]
    if with_bands:
        for panel in panels:
            panel.groupby_aggfunc, panel.groupby_rangefunc = "mean", "stddev"
    return list(panels)


def media_panels(section: Section) -> list[PanelTypes]:
    """The pictures of a section, in a gallery through the steps, and its tables.

    Args:
        section: The section.
    """
    layout = wr.Layout(w=WIDTH, h=HEIGHT)
    panels: list[PanelTypes] = []
    if section.pictures:
        keys = list(section.pictures)
        panels.append(wr.MediaBrowser(title=section.title, media_keys=keys, num_columns=2, layout=layout))
    panels += [wr.WeavePanelSummaryTable(table_name=name, layout=layout) for name in section.tables]
    return panels
