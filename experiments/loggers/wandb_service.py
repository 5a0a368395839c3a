"""The end of W&B's own process, which may be dead, frozen, or without its server by then."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
from threading import Event, Thread
from typing import ClassVar

_log = logging.getLogger(__name__)


class ServiceEnd:
    """Ends W&B's process when this one ends, and waits for it no longer than so many seconds.

    W&B waits without a limit by itself, and shows a traceback where its process is dead.

    Args:
        timeout: Seconds.
    """

    _instance: ClassVar[ServiceEnd | None] = None
    exit_code: ClassVar[int] = 0
    """What W&B shows the runs as that are still open: finished where it is 0, failed otherwise."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process = os.getpid()
        self._leaving, self._ended = Event(), Event()
        # At the end of a process no thread can begin any more: this one waits for it.
        Thread(target=self._end, name="W&B's end", daemon=True).start()
        atexit.register(self.wait)

    @classmethod
    def ensure(cls, timeout: float) -> None:
        """Makes the one of this process, where there is none yet; after W&B began, so that it comes before W&B's own.

        Args:
            timeout: Seconds.
        """
        if cls._instance is None or cls._instance._process != os.getpid():
            cls._instance = cls(timeout)

    def wait(self) -> None:
        """Ends W&B's process, by force where it does not answer."""
        if os.getpid() != self._process:
            return
        service = _service_process()
        self._leaving.set()
        if not self._ended.wait(self._timeout):
            _log.warning(f"W&B did not end within {self._timeout:.0f} seconds: upload the rest with wandb sync")
            if service is not None:
                service.kill()
                self._ended.wait(self._timeout)

    def _end(self) -> None:
        self._leaving.wait()
        _finish_runs(self.exit_code)
        end_service(self.exit_code)
        self._ended.set()


def end_service(exit_code: int = 0) -> None:
    """Ends W&B's process, dead or alive; what is logged next starts another.

    Args:
        exit_code: Exit code that the open runs get.
    """
    import wandb

    try:
        wandb.teardown(exit_code)
    except Exception as error:  # W&B has no common class for what goes wrong
        _log.debug("W&B's process was gone: %s", error)


def _finish_runs(exit_code: int) -> None:
    """Closes the open runs where W&B's process is that of another one, with which they would stay open.

    Args:
        exit_code: Exit code that they get.
    """
    from wandb.sdk import wandb_setup

    if _service_process() is not None:
        return
    for run in list(wandb_setup.singleton()._active_runs):
        try:
            run.finish(exit_code)
        except Exception as error:  # W&B has no common class for what goes wrong
            _log.debug("W&B did not close a run: %s", error)


def kill_service() -> None:
    """Ends W&B's process by force, where it does not answer."""
    service = _service_process()
    if service is not None:
        service.kill()
    end_service()


def _service_process() -> subprocess.Popen[bytes] | None:
    """W&B's process, for which it has no public name; None where there is none."""
    from wandb.sdk import wandb_setup

    handle = getattr(wandb_setup.singleton()._connection, "_proc", None)  # wandb.setup() would begin one
    process = getattr(handle, "_process", None)
    return process if isinstance(process, subprocess.Popen) else None
