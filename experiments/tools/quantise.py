"""``seqlab quantise``: a checkpoint with weights of eight bits, a quarter of its size."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser, add_trust_option

if TYPE_CHECKING:
    from torch import Tensor

EPILOG = """\
Each row of a matrix becomes whole numbers from -127 to 127 and a scale, the greatest value of the row over 127. Vectors
stay as they are. Every command takes the new file as it takes the old one, but for resuming the training; seqlab
translate makes its products in int8 with it, unless --precision says otherwise.

examples:
  seqlab quantise runs/multi30k/1 --output small.ckpt
  seqlab translate --ckpt_path small.ckpt --input test.en --output test.de
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab quantise``.

    Returns:
        The exit status.

    Raises:
        UserError: The checkpoint cannot be read, or is quantised already; the output is there already, or a directory.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    if given.output.is_dir():
        raise UserError(f"--output {given.output} is a directory: give a file in it")
    if given.output.exists() and not given.overwrite:
        raise UserError(f"--output {given.output} is there already: give another name, or --overwrite to replace it")
    from experiments.checkpoints.checkpoint_io import save_checkpoint
    from experiments.checkpoints.quantising import quantise
    from experiments.checkpoints.reading import TRAINING_STATE, read_checkpoint
    from experiments.storage.layout import find_checkpoint

    path = find_checkpoint(given.checkpoint)
    checkpoint = read_checkpoint(path, given.trust)
    try:
        small = quantise({key: value for key, value in checkpoint.items() if key not in TRAINING_STATE})
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    save_checkpoint(small, given.output)
    before, after = (sum(_bytes(each["state_dict"])) for each in (checkpoint, small))
    print(f"{given.output}: the weights of {path} in {after / 2**20:,.1f} MiB of {before / 2**20:,.1f}")
    return 0


def _bytes(weights: Mapping[str, Tensor]) -> list[int]:
    """Bytes of each tensor; of those that lie in one place, once."""
    return list(
        {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in weights.values()}.values()
    )


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab quantise",
        description="Writes a checkpoint whose matrices are whole numbers of eight bits, with a scale for each row.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CKPT", help="a checkpoint, or a run's directory: its best one"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CKPT", help="the new checkpoint")
    parser.add_argument("--overwrite", "--force", action="store_true", help="replace the output if it is there")
    add_trust_option(parser)
    return parser
