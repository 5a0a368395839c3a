"""``seqlab classify``: lines in, labels out, with checkpoints alone."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from experiments.config.tool_parser import ToolParser, add_checkpoint_options, check_batch_size, positive
from experiments.storage.outputs import (
    STANDARD_INPUT,
    STANDARD_OUTPUT,
    add_overwrite_option,
    check_outputs,
    open_output,
    write,
)
from experiments.tools.translation.line_faults import LineFaults, add_strict_option
from experiments.tools.translation.lines import WINDOW_BATCHES, open_input, read_lines, windows

if TYPE_CHECKING:
    from experiments.checkpoints.text_labeller import TextLabeller

EPILOG = """\
One row is written for each line that is read, in the same order: the label and its probability, with a tab between
them; with --top N the N most probable labels, each with its probability, one after another in the same row. An empty
line stays an empty line. Lines end at a newline and nowhere else: a NUL, U+2028 or U+2029 inside a line is read as a
space. Of a text with more tokens than data.init_args.max_length said in training, the beginning is read.

Of several checkpoints the probabilities are averaged. Their vocabularies and labels have to be equal.

A line that is not UTF-8 is told on standard error, and its row is empty; one that is longer than any of the training,
or of whose tokens a fifth or more is unknown, is labelled, and the first of each kind is told. With --strict the
command ends there instead, with status 2.

From a terminal, each line is labelled as soon as it is typed, and with --batch_size 1 as soon as it arrives.
An output file appears when it is whole.

examples:
  echo "instead of a ride give me a room" | seqlab classify --ckpt_path runs/requests/1
  seqlab classify --ckpt_path best.ckpt --input texts.txt --output labels.tsv --top 3
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab classify``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, a file or a checkpoint cannot be used, or a line is, with --strict, not as
            those of the training.
        RunFailed: The output cannot be written, or the memory does not suffice.
    """
    given = _parser().parse_args(arguments)
    check_batch_size(given)
    with contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        _classify(given)
    return 0


def _classify(given: argparse.Namespace) -> None:
    """Reads, labels and writes a window of lines at a time."""
    from experiments.checkpoints.text_labeller import load_labellers
    from experiments.storage.layout import find_checkpoint

    check_outputs(
        [("--ckpt_path", find_checkpoint(path)) for path in given.ckpt_path],
        {"--output": given.output} if given.output else dict([STANDARD_OUTPUT]),
        [STANDARD_INPUT if given.input is None else ("--input", given.input)],
        given.overwrite,
    )
    with contextlib.ExitStack() as stack:
        source = sys.stdin.buffer if given.input is None else stack.enter_context(open_input("--input", given.input))
        labeller = load_labellers(given.ckpt_path, given.trust, given.device)
        output = sys.stdout.buffer if given.output is None else stack.enter_context(open_output(given.output))
        interactive = given.input is None and sys.stdin.isatty()
        if interactive:
            print("one text a line; Ctrl-D ends", file=sys.stderr)
        window = 1 if interactive else given.batch_size * (WINDOW_BATCHES if given.batch_size > 1 else 1)
        for texts in windows(_encoded(given, source, labeller), window):
            rows = labeller.probabilities(texts, given.batch_size)
            write(output, "".join(f"{_row(row, labeller.labels, given.top)}\n" for row in rows).encode())


def _encoded(given: argparse.Namespace, source: BinaryIO, labeller: TextLabeller) -> Iterator[list[int]]:
    """The ids of each line."""
    faults = LineFaults(given.strict)
    name = "standard input" if given.input is None else str(given.input)
    for number, text in enumerate(read_lines(source, name, faults), start=1):
        ids, place = labeller.encode(text), f"{name}, line {number}"
        faults.check_length(len(ids), labeller.longest, "source", place)
        faults.check_known(ids, "source", place)
        yield ids


def _row(probabilities: list[float], labels: list[str], top: int) -> str:
    """The most probable labels with their probabilities; nothing for an empty line."""
    best = sorted(zip(probabilities, labels, strict=False), key=lambda each: -each[0])[:top]
    return "\t".join(f"{label}\t{probability:.6f}" for probability, label in best)


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab classify",
        description="Labels lines of UTF-8 text with checkpoints of text classifiers alone: no config, no data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_options(parser)
    parser.add_argument("--input", type=Path, metavar="FILE", help="what to label (default: standard input)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument("--top", type=positive, default=1, metavar="N", help="labels for each line (default: 1)")
    add_overwrite_option(parser)
    add_strict_option(parser)
    return parser
