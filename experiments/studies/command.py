"""``seqlab study``: variants of one config, several seeds each, compared in tables and figures."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from datamodules.errors import RunFailed, UserError
from experiments.studies.commands import ended_as_with_ctrl_c
from experiments.studies.plan import RUNS, Key, PlannedRun, planned_runs, study_directory
from experiments.studies.results import FILE_NAME, Results, Row, rows_of, same_run
from experiments.studies.runner import LOGS, Outcome, Runner
from experiments.studies.study import Study, find_study, known_studies, question_of, read_study
from experiments.tools.parser import ToolParser, positive

REPORT = "table.md"

FIGURES = "figures"

EPILOG = """\
studies:
{studies}

Each run is a seqlab fit, and a seqlab test where the study compares metrics of a test. STUDIES/NAME/PRESET/ gets
results.csv (a row for each run, with its command), table.md, figures/, runs/ and logs/. The same command again goes on
where an interrupted study stopped; a run whose command or config changed is run again.

examples:
  seqlab study attention
  seqlab study attention --preset full --seeds 10 --jobs 2
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab study``.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such study or preset, its file is wrong, or it runs already.
        RunFailed: Some runs failed.
    """
    given = _parser().parse_args(arguments)
    if given.name is None:
        print(f"studies:\n{_listed()}\n\nseqlab study NAME runs one; seqlab study --help tells the options")
        return 0
    run_study(read_study(find_study(given.name)), given)
    return 0


def run_study(study: Study, given: argparse.Namespace) -> dict[Key, Row]:
    """Runs what is not finished of a study, and reports on the whole.

    Args:
        study: The study.
        given: The options of :func:`add_study_options`.

    Returns:
        The rows of its runs.

    Raises:
        UserError: There is no such preset, a config cannot be read, or the study runs already.
        RunFailed: Some runs failed.
    """
    directory = study_directory(given.directory, study, given.preset)
    runs = planned_runs(study, given.preset, given.seeds, directory)
    with _alone_in(directory), ended_as_with_ctrl_c():
        results = Results(directory / FILE_NAME)
        outcomes = _run(study, runs, results, directory, given.jobs)
        _report(study, given.preset, runs, results, directory)
    if failed := [outcome.planned for outcome in outcomes if outcome.error]:
        told = f"{len(failed)} of {len(runs)} runs failed: {_seeds_by_variant(failed)}"
        raise RunFailed(f"{told}; the same command tries them again, and their output is in {directory / LOGS}")
    return rows_of(runs, results)


def _run(study: Study, runs: Sequence[PlannedRun], results: Results, directory: Path, jobs: int) -> list[Outcome]:
    """Runs what is not finished."""
    missing = [planned for planned in runs if results.finished(planned) is None]
    if len(missing) < len(runs):
        print(f"{len(runs) - len(missing)} of {len(runs)} runs are finished in {directory}")
    for planned in missing:
        row = results.get(planned.key)
        if row is not None and not same_run(row, planned):
            print(f"{planned.title}: its command or a config has changed, it runs again")
    if not missing:
        return []
    try:
        return Runner(results, directory, study.name, jobs).run(missing, total=len(runs))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on with the study") from None


def _report(study: Study, preset: str, runs: Sequence[PlannedRun], results: Results, directory: Path) -> None:
    """Writes and prints the tables, and draws the figures."""
    from experiments.runs.durable import durable_write
    from experiments.runs.loggers.media import write_figure
    from experiments.studies.comparison import compare
    from experiments.studies.pictures import study_figures
    from experiments.studies.report import report

    rows = rows_of(runs, results)
    if not rows:
        return
    comparisons = compare(study, rows, sorted({planned.seed for planned in runs}))
    pictures = []
    for name, figure in study_figures(study, rows, comparisons):
        picture = f"{FIGURES}/{name}.png"
        write_figure(figure, directory / picture)
        pictures.append(picture)
    text = report(study, preset, runs, rows, comparisons, pictures)
    with durable_write(directory / REPORT) as file:
        file.write(text.encode())
    print(f"\n{text.partition('![')[0].rstrip()}\n")
    for title, name in (("results", FILE_NAME), ("tables", REPORT), ("figures", FIGURES)):
        print(f"{title:<8} {directory / name}")
    offline = directory / RUNS / "*" / "*" / "wandb" / "offline-run-*"
    if any(directory.glob(str(offline.relative_to(directory)))):
        print(f"W&B      group {study.name} (offline), upload it with: wandb sync {offline}")


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Holds a study's directory; the operating system lets go of it when the process ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another seqlab study runs in {directory}: wait for its end, or give --directory") from None
    except OSError as error:
        raise UserError(f"cannot write to {directory}: {error.strerror}; give another --directory") from error
    try:
        yield
    finally:
        lock.release()


def _seeds_by_variant(runs: Sequence[PlannedRun]) -> str:
    """Names runs in few words: each variant once, with its seeds."""
    seeds: defaultdict[str, list[str]] = defaultdict(list)
    for planned in runs:
        seeds[f"{planned.panel} {planned.variant}".strip()].append(str(planned.seed))
    return ", ".join(f"{name} (seed {', '.join(found)})" for name, found in seeds.items())


def _listed() -> str:
    """The studies that there are, each with its question."""
    known = known_studies()
    width = max(map(len, known), default=0)
    lines = [f"  {name:<{width}}  {question_of(path)}".rstrip() for name, path in known.items()]
    return "\n".join(lines) or "  none here: run seqlab where seqlab's configs/ is"


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab study",
        description="Runs variants of one config with several seeds, and compares them: tables with paired intervals, "
        "figures, and a group in W&B.",
        epilog=EPILOG.format(studies=_listed()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a study of configs/studies/, or the path of a YAML")
    add_study_options(parser)
    return parser


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Adds what every command takes that runs a study: its seeds and size, and where it is kept."""
    parser.add_argument(
        "--seeds", type=_seeds, default="5", help="how many seeds, from 1; or a list, as 3,5,8 (default: 5)"
    )
    parser.add_argument("--preset", default="quick", help="its size, as quick or full (default: quick)")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at once; they share the cores (default: 1)")
    parser.add_argument(
        "--directory", type=Path, default=Path("studies"), help="where studies are kept (default: studies)"
    )


def _seeds(text: str) -> list[int]:
    if "," not in text:
        return list(range(1, positive(text) + 1))
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or any(not (word.isascii() and word.isdigit()) for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of seeds nor a list of seeds, as 3,5,8")
    return list(dict.fromkeys(map(int, words)))
