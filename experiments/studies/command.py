"""``seqlab study``: variants of one config, several seeds each, compared in tables and figures."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from datamodules.errors import RunFailed, UserError
from experiments.config.named_classes import check_named_classes
from experiments.config.tool_parser import ToolParser, positive
from experiments.processes.command_pool import TIME_IS_OVER, TimeIsOver, ended_as_with_ctrl_c
from experiments.slurm.array import add_executor_options, for_slurm, run_array
from experiments.storage.layout import FIGURES
from experiments.storage.shell import quoted
from experiments.studies.plan import RUNS, Key, PlannedRun, chains_of, planned_runs, study_directory
from experiments.studies.results import FILE_NAME, Results, Row, rows_of, same_run
from experiments.studies.runner import LOGS, Outcome, Runner
from experiments.studies.study import Study, find_study, known_studies, narrowed, question_of, read_study, slug

REPORT = "table.md"

EPILOG = """\
studies:
{studies}

Each run is a seqlab fit, and a seqlab test where the study compares metrics of a test. STUDIES/NAME/PRESET/ gets
results.csv (a row for each run, with its command), table.md, figures/, runs/ and logs/. The same command again resumes
an interrupted study where it stopped; a run whose command or config changed is run again. With --panel or --variant the
tables have what is named alone; results.csv keeps what was run before. Several processes, on any machines that see the
directory, may run one study: each run is held by one of them. With --executor slurm an array job does: a task for each
run, or --jobs tasks.

examples:
  seqlab study attention
  seqlab study attention --preset full --seeds 10 --jobs 2
  seqlab study forecasting --preset full --seeds 3 --panel 'ETTh1, 96 hours' --variant DLinear --variant SegRNN
  seqlab study attention --executor slurm --time 01:00:00 --sbatch=--partition=cpu --dry-run
"""


class Share(NamedTuple):
    """Some of a study's runs.

    Attributes:
        first: Which is the first, counted from 0.
        step: From one to the next.
    """

    first: int
    step: int


WHOLE = Share(0, 1)


class Others(NamedTuple):
    """Runs of other studies, which the progress bar is over too.

    Attributes:
        runs: How many there are.
        finished: How many of them are finished.
    """

    runs: int = 0
    finished: int = 0


ALONE = Others()


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab study``.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such study or preset, its file is wrong, or SLURM refuses it.
        RunFailed: Some runs failed.
    """
    given = _parser().parse_args(arguments)
    if given.name is None:
        print(f"studies:\n{_listed()}\n\nseqlab study NAME runs one; seqlab study --help tells the options")
        return 0
    study = narrowed(read_study(find_study(given.name)), given.panel, given.variant)
    if for_slurm(given):
        submit_study(study, given)
        return 0
    try:
        run_study(study, given, given.share)
    except TimeIsOver as notice:
        print(f"seqlab: the job's time will be over: {notice}", file=sys.stderr)
        return TIME_IS_OVER
    return 0


def run_study(
    study: Study,
    given: argparse.Namespace,
    share: Share = WHOLE,
    others: Others = ALONE,
    tell: Callable[[str], object] = print,
) -> dict[Key, Row]:
    """Runs what is not finished of a study, and reports on the whole.

    Args:
        study: The study.
        given: The options of :func:`add_study_options`.
        share: Which runs are this process's; other processes have the others.
        others: Runs that are made before and after these.
        tell: Gets the tables, and where they are.

    Returns:
        The rows of its runs.

    Raises:
        UserError: There is no such preset, a config cannot be read or names a class that is not found, or the directory
            cannot be written to.
        RunFailed: Some runs failed.
    """
    directory = study_directory(given.directory, study, given.preset)
    runs = planned_runs(study, given.preset, given.seeds, directory)
    check_named_classes(planned.words for planned in runs)
    _make(directory)
    with ended_as_with_ctrl_c():
        results = Results(directory / FILE_NAME)
        mine = [planned for chain in chains_of(runs)[share.first :: share.step] for planned in chain]
        outcomes = _run(study, mine, results, directory, given.jobs or 1, others)
        results.refresh()
        pending = [planned for planned in runs if not results.ended(planned)]
        if pending:
            print(f"{len(pending)} of {len(runs)} runs are left to other processes; the last to end writes the tables")
        else:
            with results.alone():
                _report(study, given.preset, runs, results, directory, tell)
    if failed := [outcome.planned for outcome in outcomes if outcome.error]:
        told = f"{len(failed)} of {len(runs)} runs failed: {_seeds_by_variant(failed)}"
        raise RunFailed(f"{told}; the same command tries them again, and their output is in {directory / LOGS}")
    return rows_of(runs, results)


def submit_study(study: Study, given: argparse.Namespace) -> None:
    """Submits what is not finished of a study as an array job: a task for each run, or ``--jobs`` tasks.

    Args:
        study: The study.
        given: The options of the command.

    Raises:
        UserError: There is no such preset, a config cannot be read or names a class that is not found, or SLURM refuses
            the job.
    """
    directory = study_directory(given.directory, study, given.preset)
    runs = planned_runs(study, given.preset, given.seeds, directory)
    check_named_classes(planned.words for planned in runs)
    chains = chains_of(runs)
    tasks = min(given.jobs or len(chains), len(chains))
    results = Results(directory / FILE_NAME)
    seeds = "".join(f"{seed}," for seed in given.seeds)
    options = ["--preset", given.preset, "--seeds", seeds, "--directory", str(given.directory)]
    for name in ("panel", "variant"):
        options += [word for chosen in getattr(given, name) for word in (f"--{name}", chosen)]
    commands = [
        ["study", given.name, *options, "--share", f"{task + 1}/{tasks}"]
        for task in range(tasks)
        if any(results.finished(planned) is None for chain in chains[task::tasks] for planned in chain)
    ]
    if not commands:
        print(f"all {len(runs)} runs are finished in {directory}")
        return
    run_array(slug(study.name), commands, directory, given)


def _run(
    study: Study, runs: Sequence[PlannedRun], results: Results, directory: Path, jobs: int, others: Others
) -> list[Outcome]:
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
        total, finished = len(runs) + others.runs, len(runs) - len(missing) + others.finished
        return Runner(results, directory, study.name, jobs).run(missing, total, finished)
    except KeyboardInterrupt as interrupt:
        interrupt.args = ("the same command resumes the study",)
        raise


def _report(
    study: Study,
    preset: str,
    runs: Sequence[PlannedRun],
    results: Results,
    directory: Path,
    tell: Callable[[str], object],
) -> None:
    """Writes and tells the tables, and draws the figures."""
    from experiments.loggers.media import write_figure
    from experiments.storage.durable import durable_write
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
    compared = [planned for planned in runs if planned.metrics]
    text = report(study, preset, compared, rows, comparisons, pictures)
    with durable_write(directory / REPORT) as file:
        file.write(text.encode())
    tell(f"\n{text.partition('![')[0].rstrip()}\n")
    for title, name in (("results", FILE_NAME), ("tables", REPORT), ("figures", FIGURES)):
        tell(f"{title:<8} {directory / name}")
    runs_directory, offline = directory / RUNS, "*/*/wandb/offline-run-*"
    if any(runs_directory.glob(offline)):
        tell(f"W&B      group {study.name} (offline), upload it with: wandb sync {quoted(runs_directory)}/{offline}")


def _make(directory: Path) -> None:
    """Makes a study's directory, and sees whether it can be written to.

    Raises:
        UserError: It cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lock").touch()
    except OSError as error:
        raise UserError(f"cannot write to {directory}: {error.strerror}; give another --directory") from error


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
    return "\n".join(f"  {name:<{width}}  {question_of(path)}".rstrip() for name, path in known.items())


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
    for name in ("panel", "variant"):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"a {name} of the study, for that alone; may be given several times (default: all)",
        )
    parser.add_argument(
        "--share",
        type=_share,
        default="1/1",
        metavar="I/N",
        help="of N shares of the runs, only the I-th, as 2/8; other processes may run the others (default: 1/1)",
    )
    add_executor_options(parser)
    return parser


def finished_runs(study: Study, given: argparse.Namespace) -> tuple[list[PlannedRun], dict[Key, Row]]:
    """All runs of a study, and the rows of those that are finished as planned; nothing is run.

    Args:
        study: The study.
        given: The options of :func:`add_study_options`.

    Raises:
        UserError: There is no such preset, or a config cannot be read.
    """
    directory = study_directory(given.directory, study, given.preset)
    runs = planned_runs(study, given.preset, given.seeds, directory)
    return runs, rows_of(runs, Results(directory / FILE_NAME))


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Adds what every command takes that runs a study: its seeds and size, and where it is kept."""
    parser.add_argument(
        "--seeds", type=_seeds, default="5", help="how many seeds, from 1; or a list, as 3,5,8 (default: 5)"
    )
    parser.add_argument("--preset", default="quick", help="its size, as quick or full (default: quick)")
    parser.add_argument("--jobs", type=positive, help="runs at once; they share the cores (default: 1)")
    parser.add_argument(
        "--directory", type=Path, default=Path("studies"), help="where studies are kept (default: studies)"
    )


def _share(text: str) -> Share:
    share, slash, shares = text.partition("/")
    if not slash or positive(share) > positive(shares):
        raise argparse.ArgumentTypeError(f"'{text}' is no share, as 2/8")
    return Share(positive(share) - 1, positive(shares))


def _seeds(text: str) -> list[int]:
    if "," not in text:
        return list(range(1, positive(text) + 1))
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or any(not (word.isascii() and word.isdigit()) for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of seeds nor a list of seeds, as 3,5,8")
    return list(dict.fromkeys(map(int, words)))
