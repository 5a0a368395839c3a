"""What loggers need that seqlab does not bring."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from datamodules.errors import UserError

PACKAGES = {"RunTensorBoardLogger": "tensorboard", "RunMLFlowLogger": "mlflow"}
"""By the name of the logger's class."""


def check_packages(loggers: Iterable[Any]) -> None:
    """Checks that what loggers need is installed.

    Args:
        loggers: Those of a trainer's config, not made yet; what is no class with a name is passed over.

    Raises:
        UserError: Something is not.
    """
    for logger in loggers:
        path = logger.get("class_path") if hasattr(logger, "get") else None
        if path is not None:
            check_package(path.rpartition(".")[2])


def check_package(name: str) -> None:
    """Checks that what a logger needs is installed.

    Args:
        name: The name of its class.

    Raises:
        UserError: It is not.
    """
    package = PACKAGES.get(name)
    if package is not None and find_spec(package) is None:
        logger = name.removeprefix("Run")
        raise UserError(f"trainer.logger: {logger} needs the package {package}: pip install {package}")
