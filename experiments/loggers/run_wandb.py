"""Weights & Biases beside the CSV file: online for who is logged in, offline for everyone else, in nobody's way."""

from __future__ import annotations

import logging
import os
import secrets
import shlex
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyExperiment, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from datamodules.errors import UserError
from experiments.loggers.timeouts import call_within
from experiments.loggers.wandb_service import ServiceEnd, end_service, kill_service
from experiments.loggers.wandb_types import WandbRun
from experiments.storage.durable import durable_write

LOGIN_TIMEOUT = 5
"""Seconds that the server gets to answer at all; after that the run is offline."""

INIT_TIMEOUT = 30.0
"""Seconds that the server gets to start a run; after that the run is offline."""

FINISH_TIMEOUT = 120.0
"""Seconds that the end of a process waits for uploads; what is left then can be uploaded with ``wandb sync``."""

ANSWER_TIMEOUT = 60.0
"""Seconds that W&B's own process on this machine gets to take what is logged; after that the run goes on without it."""

RUN_ID_FILE = Path("wandb") / "run-id.txt"
"""In the run's directory, so that a resumed run is the same run in W&B."""

STEP = "trainer/global_step"
"""The metric that is the horizontal axis of all others in W&B."""

_log = logging.getLogger(__name__)


class RunWandbLogger(WandbLogger):
    """Logs to Weights & Biases, and never stops training for it.

    Where WANDB_MODE is set, it decides; else the run is online if an account is logged in and the server answers
    within seconds, and offline otherwise. Nothing asks, and whatever fails in W&B is one warning, after which training
    goes on without it.

    Args:
        save_dir: The run's directory; none means the directory of the current run.
        project: The project in W&B; the variable WANDB_PROJECT wins.
        entity: The user or team that the project belongs to.
        group: Name shared by runs that belong together.
        tags: Words to find the run by.
        name: The run's name in W&B; none takes the last two levels of the run's directory.
    """

    def __init__(
        self,
        save_dir: str | None = None,
        project: str = "seqlab",
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            save_dir=save_dir or ".",
            project=os.environ.get("WANDB_PROJECT", project),
            name=name,
            entity=entity,
            group=group,
            tags=tags,
        )
        self._wandb_init.pop("anonymous", None)  # W&B has no such mode any more, and warns of whoever names it
        self._run_directory = save_dir
        self._off = False
        self._offline_directory: Path | None = None

    @property
    def name(self) -> str:
        """Empty: the run's directory has no level for the logger."""
        return ""

    @property
    def version(self) -> str:
        """Empty: the run's directory has no level for the logger."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> WandbRun | DummyExperiment:
        """The W&B run, started when it is first asked for; something that ignores every call where W&B failed."""
        self._guarded(lambda: None)
        return self._experiment or DummyExperiment()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs values by name at an optimizer step."""
        self._guarded(lambda: super(RunWandbLogger, self).log_metrics(metrics, step))

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Adds to the run's config in W&B."""
        self._guarded(lambda: super(RunWandbLogger, self).log_hyperparams(params))

    @rank_zero_only
    def log_picture(self, key: str, path: Path, step: int) -> None:
        """Logs a picture file at an optimizer step."""
        self._guarded(lambda: self.log_image(key, [str(path)], step))

    @rank_zero_only
    def log_rows(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]], step: int) -> None:
        """Logs a table at an optimizer step."""
        self._guarded(lambda: self.log_table(key, list(columns), [list(row) for row in rows], step=step))

    def sync_command(self) -> str | None:
        """The shell command that uploads an offline run, all its resumed parts; None where there is none to upload."""
        if self._offline_directory is None:
            return None
        parts = self._offline_directory.parent.glob(f"offline-run-*-{self._id}*")
        return shlex.join(["wandb", "sync", *sorted(str(part) for part in parts)])

    def finish(self) -> None:
        """Closes the run in W&B; the end of the process does it as well."""
        if (run := self._experiment) is not None:
            self._guarded(run.finish, FINISH_TIMEOUT)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Remembers how the run ended; the end of the process closes it."""
        super().finalize(status)
        ServiceEnd.exit_code = int(status == "failed")

    def _start(self) -> WandbRun | None:
        """Begins the run; None where W&B is disabled."""
        if self._run_directory is None:
            raise UserError("RunWandbLogger has no directory to write to: set its save_dir")
        mode = wandb_mode()
        if mode == "disabled":
            return None
        Path(self._run_directory).mkdir(parents=True, exist_ok=True)
        self._id = os.environ.get("WANDB_RUN_ID") or _run_id(Path(self._run_directory))
        try:
            run = self._begin(mode)
        except Exception as error:  # W&B has no common class for what goes wrong
            if mode == "offline":
                raise
            _log.warning(f"W&B does not take the run, it is offline: {_one_line(error)}")
            end_service()
            run = self._begin("offline")
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        if run.offline:
            self._offline_directory = Path(run.dir).parent
        return run

    def _begin(self, mode: str) -> WandbRun:
        import wandb

        directory = Path(self._wandb_init["dir"])
        quiet = wandb.Settings(silent=True, init_timeout=INIT_TIMEOUT, finish_timeout=FINISH_TIMEOUT)
        run_name = self._wandb_init["name"] or "/".join(directory.absolute().parts[-2:])
        options = self._wandb_init | {"name": run_name, "id": self._id, "mode": mode}
        # Its log of itself is in the run's directory: where that is full, each line of it would print a traceback.
        logging.raiseExceptions = False
        run = wandb.init(**options, settings=quiet, reinit="create_new")
        ServiceEnd.ensure(FINISH_TIMEOUT)
        return run

    def _guarded(self, action: Callable[[], None], timeout: float | None = None) -> None:
        """Does something in the run, which begins where it has not; what fails is told, and the last that is tried.

        Args:
            action: Called in a thread of its own.
            timeout: Seconds that it may take; :data:`ANSWER_TIMEOUT` if not given.
        """
        if self._off:
            return
        try:
            self._experiment = self._experiment or self._start()
            self._off = self._experiment is None
            if not self._off:
                call_within(ANSWER_TIMEOUT if timeout is None else timeout, action)
        except Exception as error:  # W&B has no common class, and none of them may stop training
            self._off = True
            _log.warning(f"W&B is off for the rest of this run, metrics.csv goes on: {_one_line(error)}")
            if isinstance(error, TimeoutError):
                kill_service()
            elif isinstance(error, ConnectionError):
                end_service()


def wandb_mode() -> str:
    """How W&B is to run: 'online', 'offline' or 'disabled'. Asks nobody, and waits a few seconds at most.

    Where WANDB_DISABLED or WANDB_MODE is set, they decide, but for this: without an account nothing is online.
    """
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on"):
        return "disabled"
    wanted = os.environ.get("WANDB_MODE", "online")
    if wanted not in ("online", "run"):
        return "offline" if wanted == "dryrun" else wanted
    return "online" if _is_logged_in() else "offline"


def _is_logged_in() -> bool:
    import requests
    import wandb

    host = wandb.setup(settings=wandb.Settings(silent=True)).settings.base_url
    if not wandb.login(prompt=False, verify=False):
        return False
    try:
        # W&B's own service goes on trying what it cannot reach, and may keep a process from its end with it: ask first.
        requests.get(host, timeout=LOGIN_TIMEOUT)
    except requests.RequestException as error:
        _log.warning(f"W&B is not reached, the run is offline: {_one_line(error)}")
        return False
    return True


def _run_id(run_directory: Path) -> str:
    """The id of the run that lives in a directory, chosen when it is first asked for."""
    path = run_directory / RUN_ID_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable_write(path) as file:
            file.write(f"{secrets.token_hex(4)}\n".encode())
    return path.read_text(encoding="utf-8").strip()


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "\N{HORIZONTAL ELLIPSIS}"
