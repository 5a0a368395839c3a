"""``seqlab dashboard``: a W&B workspace and report of a run, an experiment or a study."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser
from experiments.dashboard.logged import Place, keys_of, place_of, run_id, waits_for_sync
from experiments.dashboard.sections import sections_of
from experiments.dashboard.subject import Subject, find_subject
from experiments.loggers.run_wandb import wandb_mode
from experiments.storage.durable import durable_write
from experiments.storage.layout import RUNS
from experiments.storage.shell import quoted

if TYPE_CHECKING:
    from experiments.dashboard.publishing import JSON

FILE_NAME = "dashboard.json"

EPILOG = """\
The workspace has a section for what a study compares, for the curves, exposure bias, attention and translations, where
the runs logged any; each curve of a study is the mean of a variant's seeds, with a band of one standard deviation. The
report begins with what was found, as table.md has it. Where W&B has no login (wandb login), or WANDB_MODE=offline, both
are written to a file as JSON, and nothing is sent.

examples:
  seqlab dashboard attention
  seqlab dashboard studies/attention/full --project lecture --entity nlp-team
  seqlab dashboard runs/dates/1 --output dates.json
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab dashboard``.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such run or study, nothing of it was logged, a package is missing, or no project is
            known.
        RunFailed: W&B does not take it, or the file cannot be written.
    """
    given = _parser().parse_args(arguments)
    subject = find_subject(given.subject)
    _check_package()
    ids = {run: found for run in subject.runs if (found := run_id(run)) is not None}
    if not ids:
        raise UserError(f"no run of {subject.directory} was logged to W&B: train with RunWandbLogger, and W&B not off")
    place = _place(subject, given)
    if given.output is not None and not given.output.parent.is_dir():
        raise UserError(f"cannot write {given.output}: there is no directory {given.output.parent}")
    if missing := len(subject.runs) - len(ids):
        print(f"{missing} of {len(subject.runs)} runs were not logged to W&B, and are not shown", file=sys.stderr)
    online = wandb_mode() == "online"
    _make(subject, ids, place, online, given.output or (None if online else _beside(subject)))
    if waiting := sum(map(waits_for_sync, ids)):
        print(f"runs       {waiting} are offline, upload them with: wandb sync {_parts_of(subject)}")
    if not online:
        print("W&B        nothing was sent: after wandb login the same command publishes it")
    return 0


def _make(subject: Subject, ids: dict[Path, str], place: Place, online: bool, output: Path | None) -> None:
    """Makes both; publishes them where W&B is online, and writes them where a file is given."""
    from experiments.dashboard.publishing import default_entity, publish, spec_of
    from experiments.dashboard.report import report_of
    from experiments.dashboard.workspace import workspace_of

    if online and not place.entity:
        place = place._replace(entity=default_entity())
    sections = sections_of(keys_of(list(ids)), subject.compared)
    workspace = workspace_of(subject, sections, list(ids.values()), place)
    report = report_of(subject, sections, ids, place, names_project=online)
    if online:
        links = publish(workspace, report)
        print(f"workspace  {links.workspace}\nreport     {links.report}")
    if output is not None:
        _write(spec_of(workspace, report), output)
        print(f"spec       {output}")


def _parts_of(subject: Subject) -> str:
    """What the shell fills in with the runs' offline parts."""
    if subject.runs == [subject.directory]:
        return f"{quoted(subject.directory)}/wandb/offline-run-*"
    is_study = bool(subject.group)
    runs = subject.directory / RUNS if is_study else subject.directory
    return f"{quoted(runs)}/{'*/' * (1 + is_study)}wandb/offline-run-*"


def _beside(subject: Subject) -> Path:
    return subject.directory / FILE_NAME


def _place(subject: Subject, given: argparse.Namespace) -> Place:
    """Where in W&B: as given, as in the environment, or as in the runs' configs.

    Raises:
        UserError: No project is known.
    """
    project = given.project or os.environ.get("WANDB_PROJECT", "")
    entity = given.entity or os.environ.get("WANDB_ENTITY", "")
    if not project:
        named = place_of(subject.runs)
        project, entity = named.project, entity or named.entity
    if not project:
        raise UserError(f"the configs of {subject.directory} name no project of W&B: give --project")
    return Place(project, entity)


def _check_package() -> None:
    """Raises a :class:`UserError` where wandb-workspaces is not installed."""
    if find_spec("wandb_workspaces") is None:
        raise UserError("seqlab dashboard needs wandb-workspaces: pip install 'seqlab[dashboard]'")


def _write(told: JSON, output: Path) -> None:
    """Writes the specs.

    Raises:
        RunFailed: The file cannot be written.
    """
    with durable_write(output) as file:
        file.write(f"{json.dumps(told, indent=2, ensure_ascii=False)}\n".encode())


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab dashboard",
        description="Makes a W&B workspace and a W&B report of what was trained.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "subject", metavar="RUN_OR_STUDY", help="directory of a run, an experiment or a study; or a study's name"
    )
    parser.add_argument("--project", help="the project in W&B (default: that of the runs' configs)")
    parser.add_argument("--entity", help="the user or team in W&B (default: that of the configs, or of the login)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"write the specs (without a login: RUN_OR_STUDY/{FILE_NAME})"
    )
    return parser
