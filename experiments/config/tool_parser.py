"""The parser of the tools: argparse's, with errors that fit in one line."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
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
        if unknown and not unknown[1].startswith("-"):
            more = message.removeprefix("unrecognized arguments: ")
            raise UserError(f"'{more}' is more than {self.prog} takes; {self.prog} --help tells what each option takes")
        if unknown:
            known = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
            raise UserError(f"unknown option '{unknown[1]}': {suggest(unknown[1], known)}")
        raise UserError(f"{message}; {self.prog} --help tells the options")


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Adds what every tool takes that runs checkpoints: which, in batches of what size, and where."""
    parser.add_argument(
        "--ckpt_path",
        type=Path,
        nargs="+",
        required=True,
        metavar="CKPT",
        help="a checkpoint, or a run's directory: its best one; of several, the probabilities are averaged",
    )
    parser.add_argument("--batch_size", type=int, default=64, metavar="N", help="lines in a batch (default: 64)")
    add_trust_option(parser)
    add_device_option(parser)


def add_checkpoint_option(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Adds the checkpoint of a tool that reads one alone.

    Args:
        parser: The tool's.
        more: What is said of a run's directory beside that its best checkpoint is meant.
    """
    parser.add_argument(
        "--ckpt_path",
        type=Path,
        required=True,
        metavar="CKPT",
        help=f"a checkpoint, or a run's directory: its best one{more}",
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Adds whose classes a checkpoint may name, which every tool takes that reads one."""
    parser.add_argument(
        "--trust",
        action="extend",
        nargs="+",
        default=[],
        metavar="PACKAGE",
        help="a package whose classes the checkpoint may name",
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Adds where a checkpoint runs."""
    parser.add_argument("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, mps (default: auto)")


def positive(text: str) -> int:
    """Reads an option's whole number.

    Raises:
        ArgumentTypeError: It is below 1, or none.
    """
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number above 0")
    return number


def check_batch_size(given: argparse.Namespace) -> None:
    """Refuses batches of nothing.

    Raises:
        UserError: batch_size is below 1.
    """
    if given.batch_size < 1:
        raise UserError(f"--batch_size is {given.batch_size}: give at least 1")
