"""``seqlab shortlist``: which target ids each source id needs, so that a search looks at these alone."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import RunFailed, UserError
from experiments.config.tool_parser import ToolParser, add_checkpoint_options, positive
from experiments.storage.outputs import add_overwrite_option, open_output
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
    from lightning_modules.decoding.prefixes import Integers, Numbers

EPILOG = """\
The checkpoint reads pairs, those that it was trained on, and what its attention gives to a source symbol at a target
symbol is counted. A source symbol's shortlist is of the --best target symbols that had most of it; that of a sentence
is of its symbols' and of the --frequent most frequent ones, with what --prefix and --terms ask for. Log-probabilities
are then those among the shortlist.

examples:
  seqlab shortlist --ckpt_path runs/multi30k/1 --source multi30k/train.en.gz --target multi30k/train.de.gz \
      --output multi30k.npz
  seqlab translate --ckpt_path runs/multi30k/1 --shortlist multi30k.npz --input test.en --output test.de
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab shortlist``.

    Returns:
        The exit status.

    Raises:
        UserError: The options do not go together, a file or a checkpoint cannot be used, or the model has no attention.
        RunFailed: The output cannot be written, or the memory does not suffice.
    """
    given = _parser().parse_args(arguments)
    from experiments.checkpoints.loading import load_ensemble
    from experiments.checkpoints.shortlist_file import write_shortlist
    from lightning_modules.decoding.shortlist import Shortlist

    texts = checked_pairs(given, {"--output": given.output})
    translator = load_ensemble(given.ckpt_path, given.trust, given.device)
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open_output(given.output))
        pairs = (each for each in encoded_pairs(texts, translator, False, LineFaults(given.strict)) if each.source)
        counts = _attention(translator, windows(pairs, given.batch_size * WINDOW_BATCHES), given.batch_size)
        size = translator.source_tokenizer.vocabulary_size
        shortlist = Shortlist.learned(counts, size, given.best, given.frequent)
        write_shortlist(output, shortlist, translator)
    seen = int((shortlist.offsets[1:] > shortlist.offsets[:-1]).sum())
    print(f"{given.output}: {len(shortlist.targets):,} targets of {seen:,} source symbols")
    return 0


def _attention(
    translator: Translator, parts: Iterable[Sequence[Pair]], batch_size: int
) -> tuple[Integers, Integers, Numbers]:
    """Source ids, target ids, and how much of the attention each pair of ids had in all."""
    import numpy as np

    size = translator.target_tokenizer.vocabulary_size
    keys: Integers = np.empty(0, dtype=np.int64)
    weights: Numbers = np.empty(0)
    for part in parts:
        batches = windows(sorted(part, key=lambda pair: len(pair.target)), batch_size)
        found = [_attended(translator, batch, size) for batch in batches]
        keys, which = np.unique(np.concatenate([keys, *(each for each, _ in found)]), return_inverse=True)
        of_pairs = np.concatenate([weights, *(each for _, each in found)])
        weights = np.bincount(which, of_pairs).astype(of_pairs.dtype)
    if not len(keys):
        raise UserError("there are no pairs to learn a shortlist from")
    return keys // size, keys % size, weights


def _attended(translator: Translator, pairs: Sequence[Pair], size: int) -> tuple[Integers, Numbers]:
    """Of one batch: source id times size plus target id, and the weight, of every two tokens of a pair, EOS too.

    The weights are those under teacher forcing; of heads, and of the models of an ensemble, the mean.
    """
    import torch

    from datamodules.batch import BOS, EOS, Padded, SequenceBatch
    from experiments.processes.memory_errors import is_out_of_memory

    members = translator.members
    if not all(member.decoder.heads for member in members):
        raise UserError("the model has no attention, by which a shortlist is learned")
    source, target = Padded.from_sequences([each.source for each in pairs]), [each.target for each in pairs]
    closed = Padded.from_sequences([[BOS, *each, EOS] for each in target])
    batch = SequenceBatch(source, closed, torch.arange(len(pairs))).to(members[0].device)
    try:
        with torch.inference_mode():
            weights = torch.stack([member(batch)[1].mean(dim=1) for member in members]).mean(dim=0)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        longest = max(len(pair.source) + len(pair.target) for pair in pairs)
        raise RunFailed(
            f"out of memory on {len(pairs):,} pairs at once, the longest of {longest:,} tokens on both sides: lower "
            "--batch_size, or split long lines"
        ) from error
    real = batch.target_output.mask[:, :, None] & batch.source.mask[:, None]
    keys = batch.source.values[:, None] * size + batch.target_output.values[:, :, None]
    return keys[real].cpu().numpy(), weights[real].double().cpu().numpy()


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab shortlist",
        description="Learns which target symbols each source symbol needs; seqlab translate is faster with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_options(parser)
    add_pair_options(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.npz", help="where to write the shortlist")
    parser.add_argument(
        "--best", type=positive, default=50, metavar="N", help="target symbols of a source symbol (default: 50)"
    )
    parser.add_argument(
        "--frequent", type=positive, default=500, metavar="N", help="those of every sentence (default: 500)"
    )
    add_overwrite_option(parser)
    add_strict_option(parser)
    return parser
