"""What a search found: a table of its trials, and the best parameters as a config."""

from __future__ import annotations

import copy
import csv
import io
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState

from experiments.storage.durable import durable_write
from experiments.storage.layout import CONFIG
from experiments.tuning.search import Search
from experiments.tuning.shared_trials import SharedTrials, is_pruned

TRIALS = "trials.csv"

BEST = "best.yaml"

STATES = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def write_results(trials: SharedTrials) -> None:
    """Writes ``trials.csv`` and, where a trial went on to its end, ``best.yaml``.

    Args:
        trials: The search's trials.

    Raises:
        RunFailed: A file cannot be written.
    """
    with trials.alone():
        with durable_write(trials.directory / TRIALS) as file:
            file.write(_table(trials).encode())
        best = trials.best()
        if best is not None:
            with durable_write(trials.directory / BEST) as file:
                file.write(_best_config(trials.search, best).encode())


def _table(trials: SharedTrials) -> str:
    """A row for each trial. A trial that was ended early has the value that it reported last."""
    search = trials.search
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(
        ["trial", "state", search.metric, "validations", "began", "ended", *search.parameters, "run", "error"]
    )
    for trial in trials.all():
        times = [
            time.isoformat(timespec="seconds") if time else ""
            for time in (trial.datetime_start, trial.datetime_complete)
        ]
        writer.writerow(
            [
                trial.number,
                "pruned" if is_pruned(trial) else STATES[trial.state],
                "" if trial.value is None else repr(trial.value),
                len(trial.intermediate_values),
                *times,
                *(trial.params[key] for key in search.parameters),
                trial.user_attrs.get("run", ""),
                trial.user_attrs.get("error", ""),
            ]
        )
    return table.getvalue()


def _best_config(search: Search, best: FrozenTrial) -> str:
    """The parameters as a config file, to be given after the experiment's.

    Wherever a class has its arguments the class stands beside them, as in the config of the run: arguments alone are
    no part of a config. A class may be a parameter itself, and one of its arguments another.
    """
    used: dict[str, Any] = yaml.safe_load((Path(best.user_attrs["run"]) / CONFIG).read_text(encoding="utf-8"))
    config: dict[str, Any] = {}
    for key in sorted(search.parameters, key=lambda key: key.count(".")):  # a class before its arguments
        *parts, last = key.split(".")
        node, used_node = config, used
        for part in parts:
            if part == "init_args":
                node["class_path"] = used_node["class_path"]
            if not isinstance(node.get(part), dict):  # nothing yet, or a class by its name alone
                node[part] = {}
            node, used_node = node[part], used_node[part]
        node[last] = copy.deepcopy(search.value_of(key, best.params[key]))
    told = f"# The best of the search {search.name}: trial {best.number}, {search.metric} {best.value}\n"
    return told + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
