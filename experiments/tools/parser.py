"""The parser of the tools: argparse's, with errors that fit in one line."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from datamodules.errors import UserError, suggest


class ToolParser(argparse.ArgumentParser):
    """Raises what is wrong with a command line as a :class:`UserError`, with close matches of a mistyped option."""

    def error(self, message: str) -> NoReturn:
        """Raises in place of printing the usage and ending the process.

        Raises:
            UserError: Always.
        """
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown:
            known = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
            raise UserError(f"unknown option '{unknown[1]}': {suggest(unknown[1], known)}")
        raise UserError(f"{message}; {self.prog} --help tells the options")
