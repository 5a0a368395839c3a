"""``seqlab report``: runs the studies of a lecture, and writes one page of what it says and what was found."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules.errors import RunFailed, UserError
from experiments.config.tool_parser import ToolParser
from experiments.report.page import page
from experiments.report.plan import Exercise, find_report, known_reports, read_report
from experiments.report.text import Done, report_text
from experiments.report.verdicts import verdict
from experiments.slurm.array import add_executor_options, for_slurm
from experiments.storage.durable import durable_write
from experiments.storage.layout import FIGURES
from experiments.studies.command import Others, add_study_options, finished_runs, run_study, submit_study
from experiments.studies.comparison import Comparison, compare
from experiments.studies.plan import study_directory
from experiments.studies.study import Study, panels_of, slug

TEXT, PAGE = "report.md", "report.html"

EPILOG = """\
reports:
{reports}

Studies that are not finished are run first, as seqlab study runs them, with one progress bar over all; the same command
again goes on where it was stopped. Then OUTPUT gets report.html, one page with nothing beside it, report.md and its
figures. A verdict is computed from the runs: what the lecture says holds, does not hold, or is not told apart.

examples:
  seqlab report --jobs 2
  seqlab report --seeds 1 --output draft
  seqlab report --no-run
  seqlab report --preset full --executor slurm --time 08:00:00
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab report``.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such report or preset, its file is wrong, or the output cannot be written.
        RunFailed: Some runs failed; the page is written all the same.
    """
    given = _parser().parse_args(arguments)
    report, studies = read_report(find_report(given.name))
    if for_slurm(given):
        for name, study in studies.items():
            given.name = name
            submit_study(study, given)
        print("when the jobs are done: seqlab report --no-run, with the same preset, seeds and directory")
        return 0
    _make(given.output)
    failures = {} if given.no_run else _run(studies, given)
    done = [_done(each, studies[each.study], given, failures.get(each.study, "")) for each in report.exercises]
    text = report_text(report, given.preset, given.seeds, done)
    for name, content in ((TEXT, text), (PAGE, page(text, given.output))):
        with durable_write(given.output / name) as file:
            file.write(content.encode())
    for each in done:
        for judged in each.verdicts:
            print(f"{judged.outcome:<14}  {judged.claim.says}")
    print(f"\npage     {given.output / PAGE}\ntext     {given.output / TEXT}")
    if failures:
        raise RunFailed(f"{len(failures)} of {len(studies)} studies have runs that failed: {', '.join(failures)}")
    return 0


def _run(studies: Mapping[str, Study], given: argparse.Namespace) -> dict[str, str]:
    """Runs what is not finished of all studies; what failed, by study."""
    failures = {}
    for place, (name, study) in enumerate(studies.items(), start=1):
        others = [finished_runs(other, given) for key, other in studies.items() if key != name]
        counts = Others(sum(len(runs) for runs, _ in others), sum(len(rows) for _, rows in others))
        print(f"study {name}, {place} of {len(studies)}", file=sys.stderr)
        try:
            run_study(study, given, others=counts, tell=_nothing)
        except RunFailed as failed:
            failures[name] = str(failed)
    return failures


def _nothing(text: str) -> None:
    """Is told the tables of a study, which the page has."""


def _done(exercise: Exercise, study: Study, given: argparse.Namespace, failure: str) -> Done:
    """What is there of an exercise; its figures are copied."""
    runs, rows = finished_runs(study, given)
    verdicts = [verdict(claim, study, rows, given.seeds) for claim in exercise.claims]
    asked = {finding.column for each in verdicts for finding in each.findings}
    shown = [each for each in compare(study, rows, given.seeds) if _is_shown(each, study, asked)]
    drawn = study_directory(given.directory, study, given.preset) / FIGURES
    pictures = _copied(drawn, given.output / FIGURES / slug(study.name), shown) if rows else []
    told = [str(Path(FIGURES) / slug(study.name) / name) for name in pictures]
    return Done(exercise, study, [each for each in runs if each.metrics], rows, shown, verdicts, told, failure)


def _is_shown(comparison: Comparison, study: Study, asked: set[str]) -> bool:
    """Whether a metric is the first of a panel, or one that a claim is about."""
    firsts = [panel.metrics[0] for panel in panels_of(study).values()]
    metric = comparison.metric
    return metric in firsts or any(metric.column(place) in asked for place in metric.places)


def _copied(drawn: Path, place: Path, shown: Sequence[Comparison]) -> list[str]:
    """Copies the figures of what is shown; their names."""
    wanted = [slug(each.metric.column(None)) for each in shown]
    names = [f"{name}{end}.png" for name in wanted for end in ("", "-differences")] + ["curves.png"]
    place.mkdir(parents=True, exist_ok=True)
    there = [name for name in dict.fromkeys(names) if (drawn / name).is_file()]
    for name in there:
        shutil.copyfile(drawn / name, place / name)
    return there


def _make(output: Path) -> None:
    """Makes the directory of the page.

    Raises:
        UserError: It cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}; give another --output") from error


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name}" for name in known_reports())
    parser = ToolParser(
        prog="seqlab report",
        description="Runs whatever of a lecture has not been run, and writes one page: each exercise with its "
        "question, command, tables, figures, and a verdict on what the lecture says.",
        epilog=EPILOG.format(reports=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name", nargs="?", default="lecture", metavar="NAME", help="a report of configs/reports/, or a YAML (lecture)"
    )
    add_study_options(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("report"), metavar="DIR", help="where the page goes (default: report)"
    )
    parser.add_argument("--no-run", action="store_true", help="write the page of what is there, and run nothing")
    add_executor_options(parser)
    parser.set_defaults(panel=[], variant=[])  # all of each study
    return parser
