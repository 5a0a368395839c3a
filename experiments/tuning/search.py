"""What a search is: an experiment, parameters with their ranges, and the metric that is to be best; read from YAML."""

from __future__ import annotations

import importlib
import json
import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from datamodules.errors import UserError, suggest
from experiments.config.given_values import typed
from experiments.config.shipped_configs import configs_in
from experiments.studies.plan import hash_of
from experiments.studies.study import Change, Metric, slug
from experiments.studies.yaml_records import first_fault, read_record

SEARCHES = Path("configs") / "tune"
"""Where the searches of this project are."""

PRUNERS = "optuna.pruners"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Part):
    """Numbers from one to another: whole ones where both ends and the step are.

    Attributes:
        low: The least.
        high: The greatest, itself among them.
        log: Whether small ones are drawn as often as large ones, by their logarithm.
        step: From one number to the next.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Range:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"low has to be below high, but they are {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log, low has to be above 0, but it is {self.low:g}")
        if self.step is not None and (self.log or not 0 < self.step <= self.high - self.low):
            raise ValueError("step goes with no log, and has to be above 0 and no more than high - low")
        return self

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution of its numbers, as Optuna has it."""
        low, high, step = self.low, self.high, self.step
        if isinstance(low, int) and isinstance(high, int) and not isinstance(step, float):
            return IntDistribution(low, high - (high - low) % (step or 1), log=self.log, step=step or 1)
        steps = None if step is None else math.floor((high - low) / step + 1e-9)
        return FloatDistribution(
            low, high if steps is None or step is None else low + steps * step, log=self.log, step=step
        )


class Choices(_Part):
    """Values of any kind, in no order.

    Attributes:
        choices: The values.
    """

    choices: tuple[Any, ...]

    @model_validator(mode="after")
    def _are_several(self) -> Choices:
        words = [typed(choice) for choice in self.choices]
        if len(set(words)) < max(2, len(words)):
            raise ValueError("choices have to be two or more, each once")
        return self

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution of the values as they are typed on a command line: Optuna knows no lists."""
        return CategoricalDistribution([typed(choice) for choice in self.choices])


class Pruner(_Part):
    """What ends trials that are worse than others were.

    Attributes:
        class_path: A class of :mod:`optuna.pruners`, with its path or without.
        init_args: Its arguments.
    """

    class_path: str = "MedianPruner"
    init_args: dict[str, Any] = {}

    def made(self) -> BasePruner:
        """The pruner.

        Raises:
            UserError: There is no such class, or it does not take such arguments.
        """
        module, _, name = self.class_path.rpartition(".")
        try:
            kind = getattr(importlib.import_module(module or PRUNERS), name, None)
        except ImportError:
            kind = None
        if not (isinstance(kind, type) and issubclass(kind, BasePruner)):
            known = importlib.import_module(PRUNERS).__all__[1:]
            raise UserError(f"pruner: there is no class '{self.class_path}': {suggest(name, known)}")
        try:
            return kind(**self.init_args)
        except (TypeError, ValueError) as error:
            raise UserError(f"pruner {name}: {' '.join(str(error).split())}") from error


class Search(_Part):
    """A whole search.

    Attributes:
        name: Name of its file, without ``.yaml``.
        experiment: Config files, as ``--config`` takes them; later ones win.
        options: Options of every trial, as ``trainer.max_epochs: 3``. What they say is of the search, and not part of
            what it finds.
        metric: What is to be best, as validation logs it.
        mode: Which values of it are.
        take: The value of a trial is its best through training, or its last.
        parameters: What is searched over, by key of the config, as ``model.init_args.dropout``.
        pruner: What ends trials early; null lets all go on to their end.
        seed: Seed of the parameters that are drawn. The trials themselves have the experiment's seed.
        panels: Data sets, or other changes of the experiment, by name: each trial trains on all of them, one after
            another, and its value is the mean over them. A trial may be pruned between two of them.
    """

    name: str
    experiment: tuple[str, ...]
    options: dict[str, Any] = {}
    metric: str
    mode: Literal["min", "max"]
    take: Literal["best", "last"] = "best"
    parameters: dict[str, Range | Choices]
    pruner: Pruner | None = Pruner()
    seed: int = 1
    panels: dict[str, Change] = {}

    @field_validator("experiment", mode="before")
    @classmethod
    def _one_or_several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @field_validator("pruner", mode="before")
    @classmethod
    def _class_alone(cls, given: object) -> object:
        return {"class_path": given} if isinstance(given, str) else given

    @property
    def measure(self) -> Metric:
        """The metric as a study has it."""
        return Metric(name=self.metric, better="higher" if self.mode == "max" else "lower", take=self.take)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distributions of the parameters, by key, as Optuna has them."""
        return {key: parameter.distribution for key, parameter in self.parameters.items()}

    def identity(self) -> dict[str, Any]:
        """All of it, and a hash of what its config files hold: trials with another identity cannot be compared."""
        files = [*self.experiment, *(config for panel in self.panels.values() for config in panel.configs)]
        return {**json.loads(self.model_dump_json(exclude={"name"})), "configs": hash_of(files)}

    def value_of(self, key: str, drawn: object) -> object:
        """What a drawn value is in a config.

        Args:
            key: Key of the parameter in the config.
            drawn: As Optuna has it.
        """
        parameter = self.parameters[key]
        if isinstance(parameter, Choices):
            return next(choice for choice in parameter.choices if typed(choice) == drawn)
        return drawn

    def example(self) -> dict[str, object]:
        """Values that might be drawn: the first choices, and the low ends."""
        return {
            key: typed(parameter.choices[0]) if isinstance(parameter, Choices) else parameter.low
            for key, parameter in self.parameters.items()
        }

    def choices(self) -> list[tuple[str, str]]:
        """All values of parameters that have choices, each as it is typed: option and value."""
        return [
            (f"--{key}", typed(choice))
            for key, parameter in self.parameters.items()
            if isinstance(parameter, Choices)
            for choice in parameter.choices
        ]

    @property
    def trainings(self) -> tuple[str, ...]:
        """The names of what a trial trains on, in order; one without a name where there are no panels."""
        return tuple(self.panels) or ("",)

    def words(self, drawn: Mapping[str, object], training: str = "") -> tuple[str, ...]:
        """What is typed after ``seqlab`` to train with drawn values.

        Args:
            drawn: By key.
            training: One of :attr:`trainings`.
        """
        panel = self.panels.get(training, Change())
        configs = [word for config in (*self.experiment, *panel.configs) for word in ("--config", config)]
        options = {**self.options, **panel.options, **drawn}
        return ("fit", *configs, *(word for key, value in options.items() for word in (f"--{key}", typed(value))))


def read_search(path: Path) -> Search:
    """Reads a search.

    Args:
        path: Its YAML file.

    Raises:
        UserError: It cannot be read, or says something that a search does not have.
    """
    known = [str(SEARCHES / f"{name}.yaml") for name in configs_in(SEARCHES)]
    hint = f"; {suggest(str(path), known)}" if known and not path.exists() else ""
    search = read_record(Search, path, "experiment, metric, mode and parameters", _fault, hint)
    if not search.parameters:
        raise UserError(f"{path}: parameters is empty: give at least one, with low and high, or choices")
    places = {"options": search.options, **{f"panels: {name}": panel.options for name, panel in search.panels.items()}}
    for place, options in places.items():
        if both := [key for key in search.parameters if key in options]:
            raise UserError(f"{path}: {both[0]} is in {place} and in parameters: leave one of them out")
    if len({slug(name) for name in search.panels}) < len(search.panels):
        raise UserError(f"{path}: panels: two names are alike but for signs, and would share a directory")
    try:
        if search.pruner is not None:
            search.pruner.made()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return search


def _fault(error: ValidationError) -> str:
    place = error.errors()[0]["loc"]
    if place[:1] == ("parameters",) and len(place) > 1:
        return _fault_of_parameter(error, str(place[1]))
    within: dict[str, type[BaseModel]] = {"pruner": Pruner, "panels": Change}
    part = within.get(str(place[0]), Search) if len(place) > 1 else Search
    return first_fault(error, part.model_fields)


def _fault_of_parameter(error: ValidationError, key: str) -> str:
    """What is wrong with a parameter: pydantic tells it of both kinds that it might have been."""
    errors = [each for each in error.errors() if each["loc"][:2] == ("parameters", key)]
    given = next((each["input"] for each in errors if isinstance(each["input"], dict)), None)
    kind = Choices if isinstance(given, dict) and "choices" in given else Range
    of_kind = [each for each in errors if len(each["loc"]) > 2 and kind.__name__ in str(each["loc"][2])] or errors
    first = of_kind[0]
    where = f"parameters: {key}"
    if unknown := next((each for each in of_kind if each["type"] == "extra_forbidden"), None):
        first = unknown
        return f"{where}: unknown key '{first['loc'][-1]}': {suggest(str(first['loc'][-1]), kind.model_fields)}"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}"
    if first["type"] == "missing" or len(first["loc"]) < 4:
        return f"{where}: give low and high, or choices"
    return f"{where}: {first['loc'][3]} is {reprlib.repr(first['input'])}: it has to be a number"
