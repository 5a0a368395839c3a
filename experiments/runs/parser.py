"""The parser of ``fit``, ``validate``, ``test`` and ``predict``: LightningCLI's, with errors that fit in one line."""

from __future__ import annotations

import re
from typing import NoReturn

from jsonargparse import ArgumentError
from lightning.pytorch.cli import LightningArgumentParser

from datamodules.errors import UserError, suggest


class OneLineErrorParser(LightningArgumentParser):
    """Raises what is wrong with a command line or a config as a :class:`UserError` of one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:  # noqa: ARG002 - argparse's signature
        """Raises in place of printing the usage and ending the process.

        Raises:
            UserError: Always.
        """
        raise UserError(one_line(message)) from ex


def one_line(message: str) -> str:
    """A message of jsonargparse in one line, without what only its developers need."""
    return re.sub(r"\s+", " ", message).strip()


__all__ = ["ArgumentError", "OneLineErrorParser", "one_line", "suggest"]
