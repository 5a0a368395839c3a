"""``seqlab translate``: lines in, lines out, with checkpoints alone."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO

from datamodules.errors import RunFailed, UserError, listed_numbers
from experiments.storage.outputs import open_output
from experiments.tools.translation.line_faults import LineFaults
from experiments.tools.translation.lines import WINDOW_BATCHES, count_lines, open_input, read_lines, windows
from experiments.tools.translation.options import candidates, read_options, search_of
from experiments.tools.translation.source_lines import Companion, SourceLine, SourceLines

if TYPE_CHECKING:
    from experiments.checkpoints.translator import Translator
    from experiments.tools.translation.writers import Writer
    from lightning_modules.decoding.hypothesis import Hypothesis
    from lightning_modules.decoding.search import Search


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab translate``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range or does not go with another, a file cannot be used, a checkpoint cannot,
            or a line is, with --strict, not as those of the training.
        RunFailed: The output cannot be written, or the memory does not suffice.
    """
    given = read_options(arguments)
    # Whoever read the output and left has seen enough.
    with contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        _translate(given)
    return 0


def _translate(given: argparse.Namespace) -> None:
    """Reader, translator, writers: a window of lines at a time."""
    with contextlib.ExitStack() as stack:
        source = sys.stdin.buffer if given.input is None else stack.enter_context(open_input("--input", given.input))
        beside = {
            option: stack.enter_context(open_input(f"--{option}", path))
            for option, path in (("prefix", given.prefix), ("terms", given.terms))
            if path is not None
        }
        interactive = given.input is None and sys.stdin.isatty()
        translator, search = _prepare(given)
        writers = _writers(given, translator, stack)
        if interactive:
            print("one sentence a line; Ctrl-D ends", file=sys.stderr)
        start, count = time.perf_counter(), 0
        window = 1 if interactive else given.batch_size * (WINDOW_BATCHES if given.batch_size > 1 else 1)
        truncated: list[int] = []
        for lines in windows(_with_progress(_lines(given, source, beside, translator, search), given), window):
            found = _translated(translator, search, lines, given.batch_size, given.attention is not None)
            if given.mbr is not None:
                found = _least_risk(given, translator, lines, found)
            for writer in writers:
                writer.write(lines, found)
            cut = (any(one.truncated for one in each) for each in found)
            truncated += [line.number for line, is_cut in zip(lines, cut, strict=True) if is_cut]
            count += len(lines)
    if truncated:
        print(
            f"seqlab: warning: hypotheses of {len(truncated):,} of {count:,} lines end at the limit of length, where "
            f"the model would have gone on (the first of line {truncated[0]}): --max_length N gives them more room",
            file=sys.stderr,
        )
    if given.report_time:
        seconds = time.perf_counter() - start
        print(f"{count:,} lines in {seconds:.3f} seconds, {count / seconds:,.1f} a second", file=sys.stderr)


def _writers(given: argparse.Namespace, translator: Translator, stack: contextlib.ExitStack) -> list[Writer]:
    """The writers that the options ask for, that of the text last: what stands there was written everywhere."""
    from experiments.tools.translation.writers import AttentionWriter, NBestWriter, ScoreWriter, TextWriter

    output = sys.stdout.buffer if given.output is None else stack.enter_context(open_output(given.output))
    more: list[Writer] = [
        kind(stack.enter_context(open_output(path)), translator)
        for kind, path in ((AttentionWriter, given.attention), (ScoreWriter, given.scores))
        if path is not None
    ]
    several = candidates(given) > 1 and given.mbr is None
    return [*more, (NBestWriter if several else TextWriter)(output, translator)]


def _prepare(given: argparse.Namespace) -> tuple[Translator, Search]:
    """The translator of the checkpoints, and the search; limits that no option gives are those of the first model."""
    import torch

    from experiments.checkpoints.loading import load_ensemble
    from experiments.checkpoints.shortlist_file import read_shortlist
    from lightning_modules.kernels.packed_weights import why_not

    translator = load_ensemble(given.ckpt_path, given.trust, given.device, given.precision)
    reason = why_not(translator.precision)
    if reason is not None:
        print(f"seqlab: warning: {reason}: translated in float32", file=sys.stderr)
        translator = replace(translator, precision="float32")
    if given.shortlist is not None:
        translator = replace(translator, shortlist=read_shortlist(given.shortlist, translator))
    limits = translator.members[0].test_search
    if given.max_length is None and given.max_ratio is None:
        search = search_of(given, limits.max_length, limits.max_ratio, limits.min_length)
    else:
        longest = math.inf if given.max_length is None else given.max_length
        search = search_of(given, given.max_length, given.max_ratio, int(min(limits.min_length, longest)))
    try:
        search.check_vocabulary(translator.target_tokenizer.vocabulary_size)
    except UserError as error:
        raise UserError(f"--{error}") from error
    torch.manual_seed(given.seed or 0)
    return translator, search


def _lines(
    given: argparse.Namespace,
    source: BinaryIO,
    beside: Mapping[str, BinaryIO],
    translator: Translator,
    search: Search,
) -> Iterator[SourceLine]:
    """The input as ids."""
    faults = LineFaults(given.strict)
    name = "standard input" if given.input is None else str(given.input)
    reader = SourceLines(translator, faults, name, search.max_length)
    companions = {
        option: Companion(f"--{option}", str(file), read_lines(stream, str(file), faults))
        for option, stream in beside.items()
        if (file := getattr(given, option)) is not None
    }
    return reader.read(read_lines(source, name, faults), companions.get("prefix"), companions.get("terms"))


def _least_risk(
    given: argparse.Namespace, translator: Translator, lines: list[SourceLine], found: list[list[Hypothesis]]
) -> list[list[Hypothesis]]:
    """For each line the one hypothesis that agrees most with the others; none for an empty line."""
    from experiments.tools.translation.minimum_bayes_risk import UTILITIES, least_risk

    utility, drawn = UTILITIES[given.mbr](), given.samples is not None
    texts = [
        [translator.text(each, line.text) for each in hypotheses] for line, hypotheses in zip(lines, found, strict=True)
    ]
    return [
        least_risk(hypotheses, written, utility, drawn)[:1] if hypotheses else []
        for hypotheses, written in zip(found, texts, strict=True)
    ]


def _with_progress(lines: Iterable[SourceLine], given: argparse.Namespace) -> Iterable[SourceLine]:
    """The same lines, with a progress bar where it disturbs nothing."""
    if given.output is None or not sys.stderr.isatty() or find_spec("tqdm") is None:
        return lines
    from tqdm import tqdm

    return tqdm(lines, unit=" lines", total=count_lines(given.input))


def _translated(
    translator: Translator, search: Search, lines: list[SourceLine], batch_size: int, with_attention: bool
) -> list[list[Hypothesis]]:
    """For each line its hypotheses, best first, translated in batches of similar length; none for an empty line."""
    from experiments.checkpoints.translator import BatchTooLarge

    sources, prefixes = [line.ids for line in lines], [line.prefix for line in lines]
    terms = [line.terms for line in lines]
    try:
        return translator.search_sorted(sources, search, batch_size, with_attention, prefixes, terms)
    except BatchTooLarge as error:
        batch = [lines[position] for position in error.positions]
        longest, numbers = max(len(line.ids) for line in batch), listed_numbers(line.number for line in batch)
        raise RunFailed(
            f"out of memory on {len(batch):,} lines at once, the longest of {longest:,} tokens (lines {numbers}): "
            f"lower --batch_size, which is {batch_size}, --beam_size or --max_length, or split long lines"
        ) from error
