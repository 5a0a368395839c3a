"""``seqlab report``: runs the studies of a lecture, and writes one page of what it says and what was found."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from datamodules.errors import RunFailed, UserError
from experiments.benchmarks.commands.models import HEADING as COSTS_HEADING
from experiments.benchmarks.commands.models import PICTURE as COSTS_PICTURE
from experiments.benchmarks.commands.models import REPORT as COSTS
from experiments.benchmarks.commands.models import measured_costs
from experiments.config.tool_parser import ToolParser
from experiments.report.page import page
from experiments.report.plan import Exercise, Report, find_report, known_reports, read_report
from experiments.report.text import Done, report_text
from experiments.report.verdicts import verdict
from experiments.slurm.array import add_executor_options, for_slurm
from experiments.storage.durable import durable_write
from experiments.storage.layout import FIGURES
from experiments.studies.command import Others, add_study_options, finished_runs, run_study, submit_study
from experiments.studies.comparison import Comparison, compare
from experiments.studies.plan import study_directory
from experiments.studies.results import FILE_NAME as RESULTS
from experiments.studies.study import Study, panels_of, slug

EPILOG = """\
reports:
{reports}

Studies that are not finished are run first, as seqlab study runs them, with one progress bar over all; the same command
again goes on where it was stopped. Then OUTPUT gets NAME.html, one page with nothing beside it, and NAME.md, whose
figures are in a folder NAME. A verdict is computed from the runs: what the lecture says holds, does not hold, or is not
told apart.

examples:
  seqlab report --jobs 2
  seqlab report --seeds 1 --output draft
  seqlab report --no-run
  seqlab report --preset full --executor slurm --time 08:00:00
  seqlab report applications --seeds 1 --jobs 2
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
        for exercise, study in zip(report.exercises, studies, strict=True):
            given.name, given.panel = exercise.study, list(exercise.panels)
            submit_study(study, given)
        print("when the jobs are done: seqlab report --no-run, with the same preset, seeds and directory")
        return 0
    _make(given.output)
    failures = [""] * len(studies) if given.no_run else _run(report, studies, given)
    done = [
        _done(exercise, study, given, failure, folder)
        for exercise, study, failure, folder in zip(
            report.exercises, studies, failures, _folders(report, studies), strict=True
        )
    ]
    text = report_text(report, given.preset, given.seeds, done)
    written, shown = (given.output / f"{slug(report.name)}{end}" for end in (".md", ".html"))
    for path, content in ((written, text), (shown, page(text, given.output))):
        with durable_write(path) as file:
            file.write(content.encode())
    for each in done:
        for judged in each.verdicts:
            print(f"{judged.outcome:<14}  {judged.claim.says}")
    print(f"\npage     {shown}\ntext     {written}")
    if failed := [exercise.study for exercise, failure in zip(report.exercises, failures, strict=True) if failure]:
        raise RunFailed(f"{len(failed)} of {len(studies)} studies have runs that failed: {', '.join(failed)}")
    return 0


def _run(report: Report, studies: Sequence[Study], given: argparse.Namespace) -> list[str]:
    """Runs what is not finished of all studies; of each, what failed."""
    failures = []
    for place, (exercise, study) in enumerate(zip(report.exercises, studies, strict=True)):
        others = [finished_runs(other, given) for other in (*studies[:place], *studies[place + 1 :])]
        counts = Others(sum(len(runs) for runs, _ in others), sum(len(rows) for _, rows in others))
        print(f"study {exercise.study}, {place + 1} of {len(studies)}", file=sys.stderr)
        failure = ""
        try:
            run_study(study, given, others=counts, tell=_nothing)
            if exercise.costs:
                _measure(study, given)
        except RunFailed as failed:
            failure = str(failed)
        failures.append(failure)
    return failures


def _measure(study: Study, given: argparse.Namespace) -> None:
    """Measures what the models of a study cost, where it was not done since their last run."""
    directory = study_directory(given.directory, study, given.preset)
    costs, results = directory / COSTS, directory / RESULTS
    if costs.is_file() and costs.stat().st_mtime >= results.stat().st_mtime:
        return
    _, rows = finished_runs(study, given)
    measured_costs(study, rows, argparse.Namespace(**vars(given), device="cpu", threads=1))


def _nothing(text: str) -> None:
    """Is told the tables of a study, which the page has."""


def _folders(report: Report, studies: Sequence[Study]) -> list[Path]:
    """A folder beside the page for the figures of each exercise: two may be of one study, with other panels."""
    folders = []
    for place, study in enumerate(studies):
        before = sum(slug(other.name) == slug(study.name) for other in studies[:place])
        folders.append(Path(slug(report.name)) / f"{slug(study.name)}{f'-{before + 1}' if before else ''}")
    return folders


def _done(exercise: Exercise, study: Study, given: argparse.Namespace, failure: str, place: Path) -> Done:
    """What is there of an exercise.

    Its figures are drawn of the very rows that its tables are of: those in the study's directory may be of other seeds,
    panels or variants, for which the study was run last.
    """
    from experiments.loggers.media import write_figure  # with what draws, which --help does not need
    from experiments.studies.pictures import curve_figures, metric_figures

    runs, rows = finished_runs(study, given)
    verdicts = [verdict(claim, study, rows, given.seeds) for claim in exercise.claims]
    asked = {finding.column for each in verdicts for finding in each.findings}
    compared = compare(study, rows, given.seeds)
    drawn = [each for each in compared if _is_shown(each, study, asked)]
    shown = [each for each in compared if _is_shown(each, study, asked.union(exercise.metrics))]
    directory = study_directory(given.directory, study, given.preset)
    pictures = []
    for name, figure in (*metric_figures(study, drawn), *curve_figures(study, rows)):
        pictures.append(f"{name}.png")
        write_figure(figure, given.output / place / pictures[-1])
    results = _copied(directory, given.output / place, [RESULTS]) if rows else []
    costs = ""
    if exercise.costs and (directory / COSTS).is_file():
        costs = (directory / COSTS).read_text(encoding="utf-8").removeprefix(COSTS_HEADING)
        for name in _copied(directory / FIGURES, given.output / place, [Path(COSTS_PICTURE).name]):
            costs = costs.replace(f"({COSTS_PICTURE})", f"({place / name})")
    counted = [each for each in runs if each.metrics]
    beside = [str(place / name) for name in pictures]
    tables = [str(place / name) for name in results]
    return Done(exercise, study, counted, rows, shown, verdicts, beside, tables, costs, failure)


def _is_shown(comparison: Comparison, study: Study, asked: set[str]) -> bool:
    """Whether a metric is the first of a panel, or one that is asked for."""
    firsts = [panel.metrics[0] for panel in panels_of(study).values()]
    metric = comparison.metric
    return metric in firsts or any(metric.column(place) in asked for place in metric.places)


def _copied(directory: Path, place: Path, names: Sequence[str]) -> list[str]:
    """Copies files; the names of those that are there."""
    place.mkdir(parents=True, exist_ok=True)
    there = [name for name in names if (directory / name).is_file()]
    for name in there:
        shutil.copyfile(directory / name, place / name)
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
