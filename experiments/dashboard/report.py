"""The report of a subject: what was found, in words, and the curves that it was found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces.reports.v2.interface import BlockTypes

from experiments.dashboard.logged import Place
from experiments.dashboard.panels import media_panels, number_panels
from experiments.dashboard.sections import Section
from experiments.dashboard.subject import Line, Subject

LONGEST_TITLE = 128
"""Characters that W&B takes."""


def report_of(
    subject: Subject, sections: Sequence[Section], ids: Mapping[Path, str], place: Place, names_project: bool
) -> wr.Report:
    """Makes the report.

    Args:
        subject: What it is of.
        sections: Its panels; each panel of a study has them all.
        ids: The runs' ids in W&B; runs without one are left out.
        place: Where in W&B it belongs.
        names_project: Whether its sets of runs name the project, of which W&B is asked; else they are of the report's.
    """
    runs_in = place if names_project else Place("", "")
    blocks: list[BlockTypes] = [wr.MarkdownBlock(text=subject.text)]
    for panel, lines in subject.panels.items():
        shown = [line for line in lines if any(run in ids for run in line.runs)]
        if not shown:
            continue
        blocks += [wr.H1(text=panel)] if panel else []
        for section in sections:
            blocks.append(wr.H2(text=section.title))
            if numbers := number_panels(section, bool(subject.group)):
                sets = [_runs(line, ids, bool(subject.group), runs_in) for line in shown]
                blocks.append(wr.PanelGrid(runsets=sets, panels=numbers))
            if media := media_panels(section):
                sets = [_runs(line, ids, False, runs_in) for line in shown]
                blocks.append(wr.PanelGrid(runsets=sets, panels=media))
    return wr.Report(
        project=place.project,
        entity=place.entity,
        title=subject.title[:LONGEST_TITLE],
        description="Made by seqlab dashboard.",
        blocks=blocks,
        width="fluid",
    )


def _runs(line: Line, ids: Mapping[Path, str], together: bool, place: Place) -> wr.Runset:
    """The set of a line's runs, by id: as one curve with a band, or each for itself."""
    there = [ids[run] for run in line.runs if run in ids]
    return wr.Runset(
        project=place.project,
        entity=place.entity,
        name=line.name,
        filters=f"ID in {there}",
        groupby=["Group"] if together else [],
    )
