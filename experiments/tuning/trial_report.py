"""A trial tells its search how it does, after each validation, and ends where the search says so."""

from __future__ import annotations

import os
from pathlib import Path

import lightning as L
import optuna
from lightning.pytorch.callbacks import Callback
from optuna.trial import TrialState

from datamodules.errors import UserError, suggest
from experiments.runs import lightning_cli
from experiments.runs.monitors import Monitor, check_monitor
from experiments.tuning.search import Search
from experiments.tuning.shared_trials import STUDY, open_journal, trial_id
from experiments.tuning.trial_variable import TRIAL_VARIABLE


class TrialReport(Callback):
    """Reports the metric of a search after each validation, counted from 0, and stops a trial that is to be pruned.

    A validation that was reported already, as before a resumed trial was killed, counts as it was then.

    Args:
        trial: The search's directory, then the trial's number.
    """

    def __init__(self, trial: Path) -> None:
        self._directory, self._number = trial.parent, int(trial.name)
        self._validations = 0

    def state_dict(self) -> dict[str, int]:
        """How many validations there were."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Takes over how many validations there were."""
        self._validations = state_dict["validations"]

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Opens the search, on every rank; rank zero alone reports.

        Raises:
            UserError: Nothing logs the metric.
        """
        self._storage = open_journal(self._directory)
        study = optuna.load_study(study_name=STUDY, storage=self._storage)
        self._search = Search.model_validate(study.user_attrs["search"])
        if self._search.pruner is not None:
            study.pruner = self._search.pruner.made()
        self._study = study
        self._id = trial_id(self._storage, self._number)
        check_monitor(Monitor("the search", self._search.metric), trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports, and stops the training where the pruner says so.

        Raises:
            UserError: Validation does not log the metric.
        """
        if trainer.sanity_checking:
            return
        logged = trainer.callback_metrics
        if self._search.metric not in logged:
            known = [name for name in logged if name.startswith("val/")]
            raise UserError(
                f"metric '{self._search.metric}' is not logged in validation: {suggest(self._search.metric, known)}"
            )
        is_last = trainer.global_step >= trainer.estimated_stepping_batches
        worse = trainer.is_global_zero and self._report(float(logged[self._search.metric]), is_last)
        self._validations += 1
        if trainer.strategy.broadcast(worse):
            trainer.should_stop = True

    def _report(self, value: float, is_last: bool) -> bool:
        """Reports a value, and says whether the trial is to be pruned: behind its last validation it is complete."""
        trial = self._storage.get_trial(self._id)
        if trial.state != TrialState.RUNNING:
            return True
        if self._validations not in trial.intermediate_values:
            self._storage.set_trial_intermediate_value(self._id, self._validations, value)
        pruner = None if is_last else self._search.pruner
        if pruner is None or not self._study.pruner.prune(self._study, self._storage.get_trial(self._id)):
            return False
        self._storage.set_trial_user_attr(self._id, "pruned", self._validations)
        return True


def main(arguments: list[str]) -> int:
    """Runs a training that is a trial of a search.

    Args:
        arguments: What follows ``seqlab``, ``fit`` first.

    Returns:
        The exit status, 0.
    """
    return lightning_cli.main(arguments, [TrialReport(Path(os.environ[TRIAL_VARIABLE]))])
