"""What a dashboard is of: a study, an experiment or a run, as lines of runs that are drawn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import UserError
from experiments.storage.layout import CONFIG, METRICS, RUNS
from experiments.storage.metrics_table import read_metrics
from experiments.studies.command import REPORT
from experiments.studies.results import COLUMNS, FILE_NAME, FINISHED, Results, Row
from experiments.studies.study import known_studies, slug

STUDIES = Path("studies")
"""Where a study is looked for by its name."""


@dataclass(frozen=True)
class Line:
    """Runs that a curve is drawn of: the mean of several, with a band, or a single one.

    Attributes:
        name: What the legend calls it: a variant, or a run.
        runs: Their directories.
    """

    name: str
    runs: tuple[Path, ...]


@dataclass(frozen=True)
class Subject:
    """What a dashboard is of.

    Attributes:
        title: Its heading.
        directory: Where it lies.
        group: The group of its runs in W&B; empty where they have none.
        panels: The lines that are compared, by panel; one panel without a name where there are no more.
        compared: The metrics that a study compares, as logged.
        text: What was found, in Markdown.
    """

    title: str
    directory: Path
    group: str
    panels: Mapping[str, Sequence[Line]]
    compared: Sequence[str]
    text: str

    @property
    def runs(self) -> list[Path]:
        """The directories of all its runs."""
        return [run for lines in self.panels.values() for line in lines for run in line.runs]


def find_subject(given: str) -> Subject:
    """What the user means.

    Args:
        given: The directory of a run, of an experiment or of a study, or the name of a study.

    Raises:
        UserError: There is no such thing, or nothing was logged in it.
    """
    path = Path(given)
    if not path.exists():
        path = _directory_of(given)
    if not path.is_dir():
        raise UserError(f"{path} is a file: give the directory of a run, of an experiment or of a study")
    if (path / FILE_NAME).is_file():
        return _of_study(path)
    if (path / METRICS).is_file() or (path / CONFIG).is_file():
        return _of_run(path)
    if any(path.glob(f"*/{METRICS}")):
        return _of_experiment(path)
    inner = sorted(each.parent for name in (FILE_NAME, f"*/{METRICS}") for each in path.glob(f"*/{name}"))
    told = f": give {' or '.join(dict.fromkeys(map(str, (_outer(path, each) for each in inner))))}" if inner else ""
    raise UserError(f"there is no run and no study in {path}{told}")


def _outer(path: Path, found: Path) -> Path:
    """The directory right below a path that something was found in."""
    return path / found.relative_to(path).parts[0]


def _directory_of(name: str) -> Path:
    """The directory of the one size of a study that has run.

    Raises:
        UserError: None has, several have, or there is no such study.
    """
    ran = sorted(each.parent for each in (STUDIES / slug(name)).glob(f"*/{FILE_NAME}"))
    if len(ran) == 1:
        return ran[0]
    if ran:
        raise UserError(f"study {name} was run in several sizes: give {' or '.join(map(str, ran))}")
    if name in known_studies():
        raise UserError(f"study {name} has no results in {STUDIES / slug(name)}: seqlab study {name} runs it")
    raise UserError(f"there is no directory and no study '{name}': give a run, an experiment or a study")


def _of_study(directory: Path) -> Subject:
    """A study, with those runs of it that are finished and compared."""
    rows = [row for row in Results(directory / FILE_NAME).rows() if row["status"] == FINISHED]
    compared = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in COLUMNS]
    panels: dict[str, dict[str, list[Path]]] = {}
    for row in rows:
        if any(row.get(name) for name in compared):
            panels.setdefault(row["panel"], {}).setdefault(row["variant"], []).append(_run_of(row, directory))
    if not panels:
        raise UserError(f"no run of {directory} is finished: seqlab study runs what is left")
    report = directory / REPORT
    text = report.read_text(encoding="utf-8") if report.is_file() else ""
    heading, _, body = text.partition("\n")
    name = heading.removeprefix("# Study ").strip() or directory.absolute().parent.name
    told = body.partition("\n![")[0].strip()  # its figures are files of this machine
    return Subject(
        title=f"Study {name}, {directory.absolute().name}",
        directory=directory,
        group=name,
        panels={
            panel: [Line(variant, tuple(runs)) for variant, runs in lines.items()] for panel, lines in panels.items()
        },
        compared=list(dict.fromkeys(name.rpartition(" ")[2] for name in compared)),
        text=told or f"Not all runs of study {name} have ended: its tables are written then.",
    )


def _run_of(row: Row, directory: Path) -> Path:
    """The directory of a run, be it that its study's was moved.

    Raises:
        UserError: It is gone.
    """
    told = Path(row["run"])
    for run in (told, directory / RUNS / told.parent.name / told.name):
        if run.is_dir():
            return run
    raise UserError(f"{directory / FILE_NAME} names the run {told}, which is gone")


def _of_experiment(directory: Path) -> Subject:
    """All versions of an experiment that logged something, each a line of its own."""
    runs = sorted(each.parent for each in directory.glob(f"*/{METRICS}"))
    lines = [Line(_name(run), (run,)) for run in runs if read_metrics(run / METRICS)]
    if not lines:
        raise UserError(f"no run of {directory} has logged a metric")
    text = "\n\n".join(f"## {line.name}\n\n{_table(run)}" for line in lines for run in line.runs)
    return Subject(f"Experiment {directory.absolute().name}", directory, "", {"": lines}, (), text)


def _of_run(run: Path) -> Subject:
    if not (run / METRICS).is_file() or not read_metrics(run / METRICS):
        raise UserError(f"{run / METRICS} is missing or has no metrics: there is nothing to show of this run")
    return Subject(f"Run {_name(run)}", run, "", {"": [Line(_name(run), (run,))]}, (), _table(run))


def _name(run: Path) -> str:
    """A run as W&B shows it."""
    return "/".join(run.absolute().parts[-2:])


def _table(run: Path) -> str:
    """What was logged in validation and test: the last value, the lowest and the highest."""
    lines = ["| metric | last | lowest | highest |", "| :-- | --: | --: | --: |"]
    for name, logged in sorted(read_metrics(run / METRICS).items()):
        if not name.startswith("train/"):
            values = [each.value for each in logged]
            lines.append(f"| {name} | {values[-1]:.4g} | {min(values):.4g} | {max(values):.4g} |")
    return "\n".join(lines)
