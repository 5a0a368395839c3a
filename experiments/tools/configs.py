"""``seqlab configs``: the configs that come with seqlab, listed and copied."""

from __future__ import annotations

import argparse
from pathlib import Path

from datamodules.errors import RunFailed, UserError
from experiments.config.shipped_configs import close_configs, shipped_configs, summary_of
from experiments.config.tool_parser import ToolParser

EPILOG = """\
Every command takes these paths in any directory: where the working directory has no such file, the one that comes with
seqlab is taken. A copy, at the same path in the working directory, is taken in its place.

examples:
  seqlab configs
  seqlab configs copy configs/nmt/dates.yaml
  seqlab configs copy configs/nmt configs/trainer --to my_project
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab configs``.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such config, or a copy would replace a file.
        RunFailed: A copy cannot be written.
    """
    given = _parser().parse_args(arguments)
    if given.action is None:
        known = shipped_configs()
        width = max(map(len, known))
        print("\n".join(f"{name:<{width}}  {summary_of(path)}" for name, path in known.items()))
        return 0
    if not given.names:
        raise UserError("say what to copy: seqlab configs copy NAME, where NAME is a config or a folder of them")
    copies = {given.to / name: path for each in given.names for name, path in _meant(each).items()}
    if there := [str(copy) for copy in copies if copy.exists()]:
        raise UserError(f"{there[0]} is there already: move it away, or give another directory with --to")
    for copy, path in copies.items():
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        except OSError as error:
            raise RunFailed(f"cannot write {copy}: {error.strerror}") from error
        print(copy)
    return 0


def _meant(name: str) -> dict[str, Path]:
    """The configs that a name means: one, or those of a folder.

    Raises:
        UserError: There are none.
    """
    known = shipped_configs()
    found = {each: path for each, path in known.items() if each == name or each.startswith(f"{name.rstrip('/')}/")}
    if not found:
        close = [repr(each) for each in close_configs(name)]
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise UserError(f"seqlab has no config '{name}': {hint}seqlab configs lists all")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab configs",
        description="Lists the configs that come with seqlab; with copy, copies some to be changed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", choices=["copy"], help="copy NAME ... (default: list all)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a config, or a folder of them, as listed")
    parser.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="where to copy (default: here)")
    return parser
