"""``seqlab average``: the mean of several checkpoints of one run, as a new checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser

EPILOG = """\
examples:
  seqlab average runs/dates/1/checkpoints/epoch-*.ckpt --output averaged.ckpt
  seqlab average --run runs/dates/1 --last 5 --output averaged.ckpt
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab average``.

    Returns:
        The exit status.

    Raises:
        UserError: The arguments do not fit together, the output is there already, or the checkpoints are not of one
            run.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    if bool(given.checkpoints) == (given.run is not None):
        raise UserError("give either checkpoints, or --run DIRECTORY with --last N")
    if (given.run is None) != (given.last is None):
        raise UserError("--run and --last go together: --run DIRECTORY --last N")
    if given.last is not None and given.last < 1:
        raise UserError(f"--last is {given.last}: give at least 1")
    if given.output.is_dir():
        raise UserError(f"--output {given.output} is a directory: give a file in it")
    if given.output.exists() and not given.overwrite:
        raise UserError(f"--output {given.output} is there already: give another name, or --overwrite to replace it")
    from experiments.checkpoints.averaging import average_checkpoints, last_checkpoints
    from experiments.checkpoints.checkpoint_io import save_checkpoint

    paths = given.checkpoints or last_checkpoints(given.run, given.last, given.trust)
    average = average_checkpoints(paths, given.trust)
    save_checkpoint(average, given.output)
    print(f"{given.output}: the mean of {', '.join(average['averaged_from'])}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab average",
        description="Averages the weights of several checkpoints of one run into a new one. All else in it is that "
        "of the checkpoint with the most steps, but for the state of the optimizer, which it goes without.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="*", type=Path, metavar="CKPT", help="the checkpoints")
    parser.add_argument("--run", type=Path, metavar="DIRECTORY", help="take the checkpoints of this run, with --last")
    parser.add_argument("--last", type=int, metavar="N", help="of the run, the checkpoints of its last N saved steps")
    parser.add_argument("--output", type=Path, required=True, metavar="CKPT", help="the new checkpoint")
    parser.add_argument("--overwrite", "--force", action="store_true", help="replace the output if it is there")
    parser.add_argument(
        "--trust", action="append", default=[], metavar="PACKAGE", help="a package whose classes they may name"
    )
    return parser
