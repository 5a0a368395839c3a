"""What a study is: a question, a base config, variants of it, and the metrics that answer; read from one YAML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from datamodules.errors import UserError, suggest
from experiments.config.shipped_configs import configs_in, find_config
from experiments.studies.yaml_records import first_fault, read_record

STUDIES = Path("configs") / "studies"
"""Where the studies are, by name."""

FIT_STAGES = ("train/", "val/")
"""How the metrics begin that training logs; those of a test begin with ``test/``."""


class _Part(BaseModel):
    """A mapping of the YAML file. A key that it does not know is an error, and an empty mapping may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    @field_validator("variants", "presets", "panels", "starts", mode="before", check_fields=False)
    @classmethod
    def _empty_where_nothing_is_said(cls, given: object) -> object:
        """``always:`` with nothing after it is the base config."""
        if not isinstance(given, dict):
            return given
        return {name: {} if value is None else value for name, value in given.items()}


class Change(_Part):
    """What is changed of the config: more files, and options that win over all files.

    Attributes:
        configs: Config files, as ``--config`` takes them; later ones win.
        options: Options of the command line without their dashes, as
            ``model.init_args.dropout: 0.3``; later ones win.
    """

    configs: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class Training(Change):
    """One training of a panel.

    Attributes:
        presets: What each preset changes of it, beside what it changes in the whole panel.
    """

    presets: dict[str, Change] = {}


class Variant(Training):
    """One of those that are compared.

    Attributes:
        x: Its place on a numeric axis, where the variants are steps of one quantity.
        init_from: One of the panel's starts: it begins with the weights of its best checkpoint of the same seed.
    """

    x: float | None = None
    init_from: str = ""


class Metric(_Part):
    """A number of each run that is compared.

    Attributes:
        name: As logged. Names of ``test/`` are of a test of the run's checkpoint, the others of training. With
            ``{x}`` in it, it is one metric for each number in ``x``.
        better: Which direction is; of what only describes a variant, neither.
        take: Which of the values through training counts: the last, the best, or the mean, which is the area under the
            learning curve, and says how fast a variant learns.
        x: What ``{x}`` in the name stands for: places on a numeric axis.
        label: What tables and figures call it.
        without: Variants that do not have it, as one without attention has no entropy of its weights.
    """

    name: str
    better: Literal["higher", "lower", "neither"]
    take: Literal["last", "best", "mean"] = "last"
    x: tuple[float, ...] = ()
    label: str = ""
    without: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What tables and figures call it."""
        return self.label or self.column(None)

    @property
    def is_of_training(self) -> bool:
        """Whether training logs it, so that it has a curve."""
        return self.name.startswith(FIT_STAGES)

    @property
    def places(self) -> tuple[float | None, ...]:
        """The places on its axis; none but None where it has no axis."""
        return self.x or (None,)

    def logged(self, place: float | None) -> str:
        """The name under which it was logged."""
        return self.name if place is None else self.name.replace("{x}", f"{place:g}")

    def column(self, place: float | None) -> str:
        """The name of its column in ``results.csv``."""
        name = self.logged(place)
        return name if self.take == "last" else f"{self.take} {name}"


class Panel(Change):
    """One comparison of a study: variants of one config, on one task. What it does not say, its study says.

    Attributes:
        presets: What each preset changes, here beside what it changes in the whole study.
        variants: By name. All are compared with the first.
        starts: Trainings that are not compared: they are made for variants to begin from.
        metrics: What is compared. The first is the main one.
        curves: What is drawn through training in one figure, as logged; not compared.
        x: Its place on a numeric axis, where the panels are steps of one quantity.
        equal: What its variants have alike: their updates, or their time, which ``trainer.max_time`` gives.
    """

    presets: dict[str, Change] = {}
    variants: dict[str, Variant] = {}
    starts: dict[str, Training] = {}
    metrics: tuple[Metric, ...] = ()
    curves: tuple[str, ...] = ()
    x: float | None = None
    equal: Literal["updates", "time"] = "updates"


class Study(Panel):
    """A whole study.

    Attributes:
        name: Name of its file, without ``.yaml``.
        question: What it asks, in one sentence.
        presets: Its sizes, by name: what each changes.
        panels: Its comparisons by name, where it has several.
        x_label: What the numbers are that variants, panels or metrics have as ``x``.
        checkpoint: Which checkpoint of a run is tested.
        same_data: Whether the variants train on the same batches in the same order, and are measured on the same data;
            False where the data, or its order, are what is compared.
    """

    name: str
    question: str
    presets: dict[str, Change]
    panels: dict[str, Panel] = {}
    x_label: str = ""
    checkpoint: Literal["best", "last", "averaged"] = "best"
    same_data: bool = True


def known_studies(directory: Path = STUDIES) -> dict[str, Path]:
    """The studies that there are, those that come with seqlab among them: their files, by name.

    Args:
        directory: Where they are looked for.
    """
    return dict(sorted(configs_in(directory).items()))


def question_of(path: Path) -> str:
    """What a study asks; empty where its file does not say."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return ""
    return str(content.get("question", "")) if isinstance(content, dict) else ""


def find_study(given: str, directory: Path = STUDIES) -> Path:
    """The file of a study.

    Args:
        given: Its name, or a path that ends with ``.yaml``.
        directory: Where studies are looked for by name.

    Raises:
        UserError: There is none.
    """
    if given.endswith((".yaml", ".yml")):
        path = find_config(Path(given))
        if not path.is_file():
            raise UserError(f"there is no study file {given}")
        return path
    known = known_studies(directory)
    if given not in known:
        raise UserError(f"unknown study '{given}': there are {', '.join(known)}")
    return known[given]


def read_study(path: Path) -> Study:
    """Reads a study.

    Args:
        path: Its YAML file.

    Raises:
        UserError: It cannot be read, or says something that a study does not have.
    """
    study = read_record(Study, path, "question, configs, presets, metrics and variants", _fault)
    _check(study, path)
    return study


def panels_of(study: Study) -> dict[str, Panel]:
    """The comparisons of a study, each with all that it takes from the study; one without a name where it has no more.

    Args:
        study: The study.
    """
    return {name: _completed(study, panel) for name, panel in (study.panels or {"": Panel()}).items()}


def narrowed(study: Study, panels: Sequence[str], variants: Sequence[str]) -> Study:
    """A study with some of its panels and variants alone; all are compared with the first that is left.

    Args:
        study: The study.
        panels: Names of panels; none for all.
        variants: Names of variants; none for all. A panel that has none of them is left out.

    Raises:
        UserError: The study has no panel or variant of such a name, no panel that is named has one of the variants, or
            no metric is of those that are left.
    """
    complete = panels_of(study)
    there = list(dict.fromkeys(variant for panel in complete.values() for variant in panel.variants))
    for kind, asked, known in (("panel", panels, list(study.panels)), ("variant", variants, there)):
        for name in asked:
            if name not in known:
                told = suggest(name, known) if known else f"it has no {kind}s"
                raise UserError(f"study '{study.name}' has no {kind} '{name}': {told}")
    left = {name: _with_variants(panel, variants) for name, panel in complete.items() if not panels or name in panels}
    left = {name: panel for name, panel in left.items() if panel.variants}
    if not left:
        raise UserError(f"study '{study.name}': no panel of {', '.join(panels)} has a variant {', '.join(variants)}")
    for name, panel in left.items():
        if not panel.metrics:
            told = f"panel {name} of study '{study.name}'" if name else f"study '{study.name}'"
            raise UserError(f"{told}: none of its metrics is of {', '.join(panel.variants)}: name another variant too")
    if not study.panels:
        (panel,) = left.values()
        return study.model_copy(update={"variants": panel.variants, "metrics": panel.metrics})
    changes = {name: {"variants": panel.variants, "metrics": panel.metrics} for name, panel in left.items()}
    return study.model_copy(
        update={"panels": {name: study.panels[name].model_copy(update=change) for name, change in changes.items()}}
    )


def variants_with(metric: Metric, panel: Panel) -> list[str]:
    """The variants of a panel that have a metric; the others are compared with the first of them.

    Args:
        metric: The metric.
        panel: The panel.
    """
    return [variant for variant in panel.variants if variant not in metric.without]


def merged(*changes: Change) -> Change:
    """Several changes as one; later ones win.

    Args:
        changes: In the order in which they would be typed.
    """
    configs = tuple(config for change in changes for config in change.configs)
    options: dict[str, Any] = {}
    for change in changes:
        for key, value in change.options.items():
            options.pop(key, None)  # it goes where it was said last: options are applied in their order
            options[key] = value
    return Change(configs=configs, options=options)


def slug(name: str) -> str:
    """A name as a part of a path."""
    return re.sub(r"[^\w.+]+", "-", name).strip("-") or "unnamed"


def directory_of(panel: str, training: str) -> str:
    """What the directories of a training's runs begin with, in all of its study.

    Args:
        panel: Name of its panel; empty where the study has only one.
        training: Name of its variant, or its start.
    """
    return "-".join(slug(word) for word in (panel, training) if word)


def _with_variants(panel: Panel, asked: Sequence[str]) -> Panel:
    """A panel with some of its variants, or with all if none is asked for, and the metrics that these have."""
    variants = {name: variant for name, variant in panel.variants.items() if not asked or name in asked}
    metrics = [
        metric.model_copy(update={"without": tuple(name for name in metric.without if name in variants)})
        for metric in panel.metrics
    ]
    kept = tuple(metric for metric in metrics if len(metric.without) < len(variants))
    return panel.model_copy(update={"variants": variants, "metrics": kept})


def _completed(study: Study, panel: Panel) -> Panel:
    change = merged(study, panel)
    presets = {name: merged(study.presets[name], panel.presets.get(name, Change())) for name in study.presets}
    return Panel(
        configs=change.configs,
        options=change.options,
        presets=presets,
        variants=panel.variants or study.variants,
        starts=panel.starts or study.starts,
        metrics=panel.metrics or study.metrics,
        curves=panel.curves or study.curves,
        x=panel.x,
        equal=panel.equal if "equal" in panel.model_fields_set else study.equal,
    )


def _check(study: Study, path: Path) -> None:
    """What the types do not say.

    Raises:
        UserError: Something is missing, or two things have one name.
    """
    if not study.presets:
        raise UserError(f"{path}: presets is empty: name at least one size, as quick")
    for name, panel in study.panels.items():
        for preset in set(panel.presets) - set(study.presets):
            raise UserError(f"{path}: panels.{name}: unknown preset '{preset}': {suggest(preset, study.presets)}")
    for name, panel in panels_of(study).items():
        where = f"{path}: panels.{name}" if name else str(path)
        for part in ("configs", "variants", "metrics"):
            if not getattr(panel, part):
                raise UserError(f"{where}: {part} is missing")
        _check_trainings(panel, where)
        columns = [metric.column(place) for metric in panel.metrics for place in metric.places]
        if twice := [column for column in columns if columns.count(column) > 1]:
            raise UserError(f"{where}: the metric '{twice[0]}' is named twice")
        for metric in panel.metrics:
            if bool(metric.x) != ("{x}" in metric.name):
                raise UserError(f"{where}: metric {metric.name}: x and {{x}} in the name go together")
            if metric.take == "best" and metric.better == "neither":
                raise UserError(f"{where}: metric {metric.name}: no value is its best one: take the last, or the mean")
            if not variants_with(metric, panel):
                raise UserError(f"{where}: metric {metric.name}: it is without every variant: leave it out")
            for variant in metric.without:
                if variant not in panel.variants:
                    told = suggest(variant, panel.variants)
                    raise UserError(f"{where}: metric {metric.name}: without an unknown variant '{variant}': {told}")
    _check_directories(study, path)


def _check_directories(study: Study, path: Path) -> None:
    """Whether each training has a directory of its own, and each panel a name.

    Raises:
        UserError: Two would have one.
    """
    directories = [(name, slug(name)) for name in study.panels]
    trainings = [
        (f"{name} of {panel_name}" if panel_name else name, directory_of(panel_name, name))
        for panel_name, panel in panels_of(study).items()
        for name in (*panel.starts, *panel.variants)
    ]
    for group in (directories, trainings):
        taken: dict[str, str] = {}
        for name, directory in group:
            if taken.setdefault(directory, name) != name:
                raise UserError(f"{path}: '{taken[directory]}' and '{name}' would have one directory: rename one")


def _check_trainings(panel: Panel, where: str) -> None:
    """What variants begin from, and their presets.

    Raises:
        UserError: There is no such thing.
    """
    for name, training in {**panel.starts, **panel.variants}.items():
        for preset in set(training.presets) - set(panel.presets):
            raise UserError(f"{where}: {name}: unknown preset '{preset}': {suggest(preset, panel.presets)}")
    for preset, change in panel.presets.items():
        if panel.equal == "time" and "trainer.max_time" not in {**panel.options, **change.options}:
            raise UserError(f"{where}: equal is time, but preset {preset} has no trainer.max_time")
    for name, variant in panel.variants.items():
        if name in panel.starts:
            raise UserError(f"{where}: '{name}' is the name of a start and of a variant: rename one")
        if variant.init_from and variant.init_from not in panel.starts:
            told = suggest(variant.init_from, panel.starts) if panel.starts else "it has no starts"
            raise UserError(f"{where}: variant {name}: unknown start '{variant.init_from}': {told}")


def _fault(error: ValidationError) -> str:
    return first_fault(error, (name for part in (Study, Panel, Variant, Metric) for name in part.model_fields))
