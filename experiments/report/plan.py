"""What a report is: exercises, each a study and the claims that it settles; read from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from datamodules.errors import UserError, suggest
from experiments.benchmarks.commands.models import STUDY as MEASURED
from experiments.config.shipped_configs import configs_in, find_config
from experiments.studies.study import Metric, Panel, Study, find_study, narrowed, panels_of, read_study, variants_with
from experiments.studies.yaml_records import first_fault, read_record

REPORTS = Path("configs") / "reports"
"""Where the reports are, by name."""

Expected = Literal["better", "worse", "higher", "lower"]
"""What one variant is said to be, beside another."""


class _Part(BaseModel):
    """A mapping of the YAML file. A key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Expectation(_Part):
    """One comparison that a claim foretells.

    Attributes:
        variant: Of which variant something is said.
        than: Beside which other one.
        expected: What it is said to be; 'better' and 'worse' follow the metric's own direction.
        metric: The column of ``results.csv``; the study's first metric if not given.
        panel: The panel; the study's first if not given.
    """

    variant: str
    than: str
    expected: Expected = "better"
    metric: str = ""
    panel: str = ""


class Claim(_Part):
    """Something that the lecture says.

    Attributes:
        says: The sentence.
        expectations: What would be seen if it held; all of it.
    """

    says: str
    expectations: tuple[Expectation, ...]


class Exercise(_Part):
    """A part of the lecture.

    Attributes:
        title: Its heading.
        study: The study that was made of it, by name or path.
        panels: Those of its panels that are run and shown; all if not given.
        claims: What the study settles.
        metrics: Those that have a table beside the first and those of the claims, by their columns of ``results.csv``.
        note: What a reader should know, beside what is measured; no numbers.
        costs: Whether its models are measured by ``seqlab benchmark models`` too, which is of the study *models* alone.
    """

    title: str
    study: str
    panels: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    metrics: tuple[str, ...] = ()
    note: str = ""
    costs: bool = False


class Report(_Part):
    """A whole report.

    Attributes:
        name: Name of its file, without ``.yaml``.
        title: Its heading.
        about: What it is of, in a few sentences.
        exercises: In their order.
    """

    name: str
    title: str
    exercises: tuple[Exercise, ...]
    about: str = ""


def known_reports(directory: Path = REPORTS) -> dict[str, Path]:
    """The reports that there are, those that come with seqlab among them: their files, by name.

    Args:
        directory: Where they are looked for.
    """
    return dict(sorted(configs_in(directory).items()))


def find_report(given: str) -> Path:
    """The file of a report.

    Args:
        given: Its name, or a path that ends with ``.yaml``.

    Raises:
        UserError: There is none.
    """
    if given.endswith((".yaml", ".yml")):
        return find_config(Path(given))
    known = known_reports()
    if given not in known:
        raise UserError(f"unknown report '{given}': {suggest(given, known)}")
    return known[given]


def read_report(path: Path) -> tuple[Report, list[Study]]:
    """Reads a report, and the studies that it is of.

    Args:
        path: Its YAML file.

    Returns:
        The report, and the study of each exercise, with the panels that are shown.

    Raises:
        UserError: A file cannot be read, or the report names what a study does not have.
    """
    report = read_record(Report, path, "title and exercises", _fault)
    studies = []
    for exercise in report.exercises:
        where = f"{path}: {exercise.title}"
        study = narrowed(read_study(find_study(exercise.study)), exercise.panels, ())
        if exercise.costs and study.name != MEASURED:
            raise UserError(f"{where}: costs are measured of the study '{MEASURED}' alone")
        columns = {column for panel in panels_of(study).values() for column in _columns(panel)}
        if unknown := [name for name in exercise.metrics if name not in columns]:
            raise UserError(f"{where}: unknown metric '{unknown[0]}': {suggest(unknown[0], columns)}")
        for claim in exercise.claims:
            for expectation in claim.expectations:
                _check(expectation, study, where)
        studies.append(study)
    return report, studies


def compared_panel(expectation: Expectation, study: Study) -> tuple[str, Panel]:
    """The panel of an expectation: its name, and what it has."""
    panels = panels_of(study)
    name = expectation.panel or next(iter(panels))
    return name, panels[name]


def compared_metric(expectation: Expectation, panel: Panel) -> tuple[str, Metric]:
    """The metric of an expectation: its column, and what it is."""
    columns = {metric.column(place): metric for metric in panel.metrics for place in metric.places}
    column = expectation.metric or next(iter(columns))
    return column, columns[column]


def _columns(panel: Panel) -> list[str]:
    return [metric.column(place) for metric in panel.metrics for place in metric.places]


def _check(expectation: Expectation, study: Study, where: str) -> None:
    """Whether a study has what is compared.

    Raises:
        UserError: It has not.
    """
    panels = panels_of(study)
    if expectation.panel and expectation.panel not in panels:
        raise UserError(f"{where}: unknown panel '{expectation.panel}': {suggest(expectation.panel, panels)}")
    _, panel = compared_panel(expectation, study)
    columns = _columns(panel)
    if expectation.metric and expectation.metric not in columns:
        raise UserError(f"{where}: unknown metric '{expectation.metric}': {suggest(expectation.metric, columns)}")
    column, metric = compared_metric(expectation, panel)
    for variant in (expectation.variant, expectation.than):
        if variant not in panel.variants:
            raise UserError(f"{where}: unknown variant '{variant}': {suggest(variant, panel.variants)}")
        if variant not in variants_with(metric, panel):
            raise UserError(f"{where}: variant '{variant}' is without the metric '{column}'")
    if metric.better == "neither" and expectation.expected in ("better", "worse"):
        raise UserError(f"{where}: no direction of '{column}' is better: expect 'higher' or 'lower'")


def _fault(error: ValidationError) -> str:
    parts = (Report, Exercise, Claim, Expectation)
    return first_fault(error, (name for part in parts for name in part.model_fields))
