"""``seqlab score``: log-probabilities of given translations, with checkpoints alone."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import RunFailed, listed_numbers
from experiments.config.tool_parser import ToolParser, add_checkpoint_options
from experiments.storage.outputs import STANDARD_OUTPUT, add_overwrite_option, open_output, write
from experiments.tools.translation.line_faults import LineFaults, add_strict_option
from experiments.tools.translation.lines import WINDOW_BATCHES, windows
from experiments.tools.translation.pairs import (
    Pair,
    add_pair_options,
    checked_pairs,
    encoded_pairs,
)

if TYPE_CHECKING:
    from experiments.checkpoints.translator import Translator

EPILOG = """\
One row of three columns between tabs is written for each pair, in the same order: the log-probability of the target
given the source (natural logarithm), the number of its tokens with the end of the sentence, and the perplexity, which
is exp(-log-probability / tokens). The totals go to standard error. An empty target is scored as its end alone; a pair
of empty lines is a row of 0, 0 and 1, and so is a pair with a line that is not UTF-8, which is told on standard error.
The first line that is longer than any of the training is told, and the first of whose tokens a fifth or more is
unknown; with --strict such a line ends the command. A target may have any length: it is scored in pieces.

The targets are split by the checkpoint's tokenizer. A hypothesis of seqlab translate may be split otherwise than the
model spelled it, and then has another log-probability here. With --ids, the target's lines are ids between spaces, as
in the fifth column of seqlab translate --scores, and the log-probability is that of its third column.

A source with features is a line of source and features, as the data's columns had them; give it by --source.

Files are looked for in the working directory, then in $SEQLAB_DATA, else in data/; .gz is read too. Of several
checkpoints the probabilities are averaged at each token, as seqlab translate does.

examples:
  seqlab score --ckpt_path runs/multi30k/1 --source val.en --target val.de
  seqlab score --ckpt_path best.ckpt --tsv pairs.tsv --output scores.tsv
  seqlab translate --ckpt_path best.ckpt --input test.en --output test.de --scores test.tsv
  cut -f 5 test.tsv > test.ids; seqlab score --ckpt_path best.ckpt --source test.en --target test.ids --ids
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab score``.

    Returns:
        The exit status.

    Raises:
        UserError: The options do not go together, a file or a checkpoint cannot be used, or a line has no source.
        RunFailed: The output cannot be written, or the memory does not suffice.
    """
    given = _parser().parse_args(arguments)
    with contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        _score(given)
    return 0


def _score(given: argparse.Namespace) -> None:
    from datamodules.batch import UNK
    from experiments.checkpoints.loading import load_ensemble

    texts = checked_pairs(given, {"--output": given.output} if given.output else dict([STANDARD_OUTPUT]))
    translator = load_ensemble(given.ckpt_path, given.trust, given.device)
    count, unknown, tokens, total = 0, 0, 0, 0.0
    with contextlib.ExitStack() as stack:
        output = sys.stdout.buffer if given.output is None else stack.enter_context(open_output(given.output))
        pairs = encoded_pairs(texts, translator, given.ids, LineFaults(given.strict))
        for part in windows(pairs, given.batch_size * WINDOW_BATCHES):
            scores = _score_sorted(translator, part, given.batch_size)
            write(
                output,
                b"".join(
                    f"{sum(row):.6f}\t{len(row)}\t{_perplexity(sum(row), len(row)):.4f}\n".encode() for row in scores
                ),
            )
            count += len(part)
            unknown += sum(pair.target.count(UNK) for pair in part)
            tokens += sum(map(len, scores))
            total += sum(map(sum, scores))
    told = f", {unknown:,} of them unknown to the vocabulary" if unknown else ""
    print(
        f"{count:,} pairs, {tokens:,} target tokens{told}: log-probability {total:.4f}, "
        f"perplexity {_perplexity(total, tokens):.4f}",
        file=sys.stderr,
    )


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab score",
        description="Prints how probable given translations are to checkpoints: no config, no search.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_options(parser)
    add_pair_options(parser)
    parser.add_argument("--ids", action="store_true", help="the translations are ids of the target vocabulary")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write (default: standard output)")
    add_overwrite_option(parser)
    add_strict_option(parser)
    return parser


def _score_sorted(translator: Translator, pairs: list[Pair], batch_size: int) -> list[list[float]]:
    """For each pair the log-probabilities of its tokens and EOS, scored in batches of similar length; none if empty."""
    from experiments.checkpoints.translator import BatchTooLarge

    try:
        return translator.score_sorted([each.source for each in pairs], [each.target for each in pairs], batch_size)
    except BatchTooLarge as error:
        batch = [pairs[position] for position in error.positions]
        source, target = max(len(each.source) for each in batch), max(len(each.target) for each in batch)
        raise RunFailed(
            f"out of memory on {len(batch):,} pairs at once, the longest source of {source:,}, target of {target:,} "
            f"tokens (lines {listed_numbers(each.number for each in batch)}): lower --batch_size, which is "
            f"{batch_size}, or split long lines"
        ) from error


def _perplexity(log_probability: float, tokens: int) -> float:
    """``exp`` of the mean negative log-probability; 1 of nothing."""
    mean = -log_probability / max(tokens, 1)
    return math.exp(mean) if mean < 700 else math.inf
