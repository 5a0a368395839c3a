"""The workspace of a subject: all its panels over one set of runs, which a study's variants group."""

from __future__ import annotations

from collections.abc import Sequence

import wandb_workspaces.workspaces as ws
from wandb_workspaces.expr import Metric

from experiments.dashboard.logged import Place
from experiments.dashboard.panels import media_panels, number_panels
from experiments.dashboard.sections import Section
from experiments.dashboard.subject import Subject
from experiments.loggers.run_wandb import STEP

MOST_LINES = 100
"""Runs, or groups of runs, in one panel."""


def workspace_of(subject: Subject, sections: Sequence[Section], ids: Sequence[str], place: Place) -> ws.Workspace:
    """Makes the workspace.

    Args:
        subject: What it is of.
        sections: Its panels.
        ids: The runs' ids in W&B. Those of a study are found by their group: seeds that are trained later are in it.
        place: Where in W&B it belongs.
    """
    of_study = bool(subject.group)
    runs = f"Group = {subject.group!r}" if of_study else f"ID in {list(ids)}"
    return ws.Workspace(
        entity=place.entity,
        project=place.project,
        name=subject.title,
        sections=[
            ws.Section(
                name=section.title,
                panels=[*number_panels(section, of_study), *media_panels(section)],
                is_open=position == 0,
                panel_settings=ws.SectionPanelSettings(x_axis=STEP),
            )
            for position, section in enumerate(sections)
        ],
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=MOST_LINES),
        runset_settings=ws.RunsetSettings(filters=runs, groupby=[Metric("JobType")] if of_study else []),
    )
