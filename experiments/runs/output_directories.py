"""Where the parts of a trainer write: into the run's directory, but where a config names another place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.runs.profilers import REPORT
from experiments.storage.layout import CHECKPOINTS


def direct_outputs(trainer: Any, run: Path) -> None:  # noqa: ANN401 - jsonargparse's namespace is untyped
    """Tells loggers, profiler and checkpoint callbacks the run's directory.

    Args:
        trainer: The trainer's config, not made yet.
        run: The directory.
    """
    trainer.default_root_dir = str(run)
    for logger in listed(trainer.logger):
        _fill(logger, "save_dir", str(run))
    _fill(trainer.profiler, "dirpath", str(run))
    _fill(trainer.profiler, "filename", REPORT)
    for callback in listed(trainer.callbacks):
        _fill(callback, "dirpath", str(run / CHECKPOINTS))


def listed(given: Any) -> list[Any]:  # noqa: ANN401 - as above
    """What a config gives as one part or several, as a list."""
    return given if isinstance(given, list) else [given]


def _fill(part: Any, name: str, value: str) -> None:  # noqa: ANN401 - as above
    """Sets an argument of a part's config that is there and empty."""
    arguments = part.get("init_args") if hasattr(part, "get") else None
    if arguments is not None and name in arguments and arguments[name] is None:
        arguments[name] = value
