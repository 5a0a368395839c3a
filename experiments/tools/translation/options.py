"""The options of ``seqlab translate``: what they are, what goes together, and the search that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser, add_checkpoint_options, check_batch_size
from experiments.storage.outputs import STANDARD_INPUT, STANDARD_OUTPUT, add_overwrite_option, check_outputs
from experiments.tools.translation.line_faults import add_strict_option

if TYPE_CHECKING:
    from lightning_modules.decoding.search import Search

BEAM_OPTIONS = ("beam_size", "n_best", "length_penalty", "coverage_penalty")
"""The options that are arguments of BeamSearch alone."""

DIVERSE_OPTIONS = ("groups", "diversity")
"""The options that are arguments of DiverseBeamSearch alone."""

SAMPLING_OPTIONS = ("samples", "temperature", "top_k", "top_p")
"""The options that are arguments of SamplingSearch alone."""

EPILOG = """\
One line is written for each line that is read, in the same order; an empty line stays an empty line. Lines end at a
newline and nowhere else: a NUL, U+2028 or U+2029 inside a line is read as a space. With --n_best or --samples above 1,
each line becomes up to that many rows of three columns between tabs: the line's number from 1, the score, the
hypothesis; the best first, samples in no order of quality; an empty line becomes one row.

The score of beam search is the log-probability over ((5 + length) / 6) ** length_penalty, plus coverage_penalty times
the coverage (Wu et al. 2016, equation 14); see BeamSearch. The score of a sample is the model's own log-probability,
whatever the temperature. The same command draws the same samples, until --seed or --batch_size changes.

--mbr chooses among the hypotheses of --n_best K or --samples K the one that agrees most with all of them, by sentence
BLEU, sentence chrF or equality (minimum Bayes risk; Kumar and Byrne 2004, Eikema and Aziz 2020). One line is written
for each line that is read; the score of --scores is then the expected agreement, 0 to 100.

--prefix names a file with the beginning of each line's translation; an empty line there forces nothing. Give whole
words: a tokenizer of subwords may not go on from half a word to its other half.

--terms names a file with a line for each line of the input: the phrases that its translation has to have, between tabs;
an empty line there asks for none. Beam search keeps places for what has them (Post and Vilar 2018); a wider beam puts
them better. They may repeat n-grams, whatever --no_repeat_ngram_size says.

--scores writes five columns for each hypothesis: the line's number, the score, the log-probability, the number of
tokens with the end of the sentence, and the ids between spaces. From the ids, seqlab score --ids gives the same
log-probability, but of --shortlist a lower one. From the text it may give another: the tokenizer may split it
otherwise than the model spelled it.

--attention writes one JSON object for each hypothesis: "line" (from 1), "source" and "hypothesis" (the pieces, with
</s>), and "attention" (a row of weights over the source's pieces for each piece of the hypothesis).

Several checkpoints translate as an ensemble: their probabilities are averaged at each token. Their vocabularies have
to be equal. Limits that no option gives are those of the first one's test.

A model that was trained on features beside the source reads both in each line, with a tab between them, in the order of
the columns that it was trained on.

A line that is not UTF-8 is told on standard error, and its translation is an empty line; one that is longer than any of
the training, or of whose tokens a fifth or more is unknown, is translated, and the first of each kind is told. With
--strict the command ends there instead, with status 2.

From a terminal, each line is translated as soon as it is typed, and with --batch_size 1 as soon as it arrives.
An output file appears when it is whole.

examples:
  echo "A dog runs." | seqlab translate --ckpt_path runs/multi30k/1
  seqlab translate --ckpt_path best.ckpt --input test.en --output test.de --attention test.jsonl
  seqlab translate --ckpt_path runs/multi30k/1 runs/multi30k/2 --input test.en --n_best 5
  seqlab translate --ckpt_path best.ckpt --input test.en --samples 3 --temperature 0.7 --top_p 0.9
"""


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Parses a command line, and refuses what is out of range, does not go together or cannot be used as a file.

    Args:
        arguments: What follows ``seqlab translate``.

    Raises:
        UserError: Something of that kind.
    """
    given = _parser().parse_args(arguments)
    _check_options(given)
    _check_files(given)
    return given


def candidates(given: argparse.Namespace) -> int:
    """The most hypotheses that a line can have."""
    return max(given.n_best or 1, given.samples or 1)


def search_of(
    given: argparse.Namespace, max_length: int | None, max_ratio: float | None, min_length: int = 0
) -> Search:
    """The search of the options, whose arguments have the same names.

    Args:
        given: The options.
        max_length: The most tokens of a hypothesis; None for no such limit.
        max_ratio: The most tokens for each of the source; None likewise.
        min_length: The fewest tokens.

    Raises:
        UserError: An option is out of range.
    """
    from lightning_modules.decoding.beam import BeamSearch
    from lightning_modules.decoding.diverse import DiverseBeamSearch
    from lightning_modules.decoding.sampling import SamplingSearch

    def chosen(names: Sequence[str]) -> dict[str, float]:
        return {name: getattr(given, name) for name in names if getattr(given, name) is not None}

    limits = {"max_length": max_length, "max_ratio": max_ratio, "min_length": min_length}
    limits |= {"no_repeat_ngram_size": given.no_repeat_ngram_size, "allow_unknown": given.allow_unknown}
    try:
        if chosen(SAMPLING_OPTIONS):
            return SamplingSearch(**chosen(SAMPLING_OPTIONS), **limits)  # type: ignore[arg-type]  # of its type each
        if chosen(DIVERSE_OPTIONS):
            return DiverseBeamSearch(**chosen((*BEAM_OPTIONS, *DIVERSE_OPTIONS)), **limits)  # type: ignore[arg-type]  # each
        return BeamSearch(**chosen(BEAM_OPTIONS), **limits)  # type: ignore[arg-type]  # of its type each
    except UserError as error:
        raise UserError(f"--{error}") from error


def _check_options(given: argparse.Namespace) -> None:
    """Refuses what is out of range, or does not go together, before anything is loaded."""
    check_batch_size(given)
    if given.coverage_penalty is not None and (given.groups is not None or given.diversity is not None):
        raise UserError("--coverage_penalty is for plain beam search: leave it out, or --groups and --diversity")
    search_of(given, given.max_length, given.max_ratio)
    if given.seed is not None and not 0 <= given.seed < 2**63:
        raise UserError(f"--seed is {given.seed}: give 0 to 2 ** 63 - 1")
    for name in (*SAMPLING_OPTIONS, "seed"):
        if given.samples is None and getattr(given, name) is not None:
            raise UserError(f"--{name} is for sampling: add --samples 1, or leave it out")
    for name in (*BEAM_OPTIONS, *DIVERSE_OPTIONS):
        if given.samples is not None and getattr(given, name) is not None:
            raise UserError(f"--{name} is for beam search, but --samples draws in its place: leave one of them out")
    if given.terms is not None and (given.samples or given.groups or given.diversity is not None):
        raise UserError("--terms are for plain beam search: leave them out, or --samples, --groups and --diversity")
    if given.mbr is not None and candidates(given) < 2:
        raise UserError("--mbr chooses among several hypotheses: add --n_best K or --samples K, with a K above 1")


def _check_files(given: argparse.Namespace) -> None:
    """Refuses outputs that cannot be written, or that the command reads."""
    from experiments.storage.layout import find_checkpoint

    checkpoints = [("--ckpt_path", find_checkpoint(path)) for path in given.ckpt_path]
    texts = [STANDARD_INPUT if given.input is None else ("--input", given.input)]
    beside = {name: getattr(given, name) for name in ("prefix", "terms", "shortlist")}
    texts += [(f"--{name}", path) for name, path in beside.items() if path is not None]
    outputs = {f"--{name}": getattr(given, name) for name in ("output", "scores", "attention")}
    outputs |= {} if given.output else dict([STANDARD_OUTPUT])
    check_outputs(checkpoints, outputs, texts, given.overwrite)


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab translate",
        description="Translates lines of UTF-8 text with checkpoints alone: no config, no data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_options(parser)
    parser.add_argument("--input", type=Path, metavar="FILE", help="what to translate (default: standard input)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument("--prefix", type=Path, metavar="FILE", help="what the translation of each line begins with")
    parser.add_argument(
        "--terms", type=Path, metavar="FILE.tsv", help="phrases that the translation of each line has to have"
    )
    parser.add_argument("--scores", type=Path, metavar="FILE.tsv", help="also write log-probabilities and ids")
    parser.add_argument("--attention", type=Path, metavar="FILE.jsonl", help="also write what was attended to")
    add_overwrite_option(parser)
    add_strict_option(parser)
    parser.add_argument(
        "--max_length",
        type=int,
        metavar="N",
        help="most tokens of a hypothesis (default: what the model's test has; else what its training pairs suggest)",
    )
    parser.add_argument(
        "--max_ratio",
        type=float,
        metavar="R",
        help="at most R tokens for each of the source, and 10 (default: likewise; none if --max_length is given)",
    )
    parser.add_argument(
        "--no_repeat_ngram_size", type=int, default=0, metavar="N", help="no N tokens come twice in a hypothesis"
    )
    parser.add_argument(
        "--allow_unknown", action="store_true", help="let hypotheses have <unk>, for what the vocabulary lacks"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "int8"),
        help="in what large products are made on the CPU; int8 is fastest where a processor has units for it (default: "
        "float32; int8 for what seqlab quantise wrote)",
    )
    parser.add_argument(
        "--shortlist",
        type=Path,
        metavar="FILE.npz",
        help="choose among the target symbols that seqlab shortlist found",
    )
    parser.add_argument(
        "--report_time", action="store_true", help="tell at the end how long all lines took, without the start"
    )
    parser.add_argument(
        "--mbr",
        choices=("bleu", "chrf", "exact"),
        help="choose the one of several hypotheses that agrees most with the others, by this measure",
    )
    beam = parser.add_argument_group("beam search, the default")
    beam.add_argument("--beam_size", type=int, metavar="N", help="prefixes kept; 1 is greedy (default: 5)")
    beam.add_argument("--n_best", type=int, metavar="K", help="hypotheses for each line (default: 1)")
    beam.add_argument("--length_penalty", type=float, metavar="P", help="larger favours longer ones (default: 1.0)")
    beam.add_argument(
        "--coverage_penalty", type=float, metavar="P", help="larger favours those that attend to the whole source"
    )
    beam.add_argument("--groups", type=int, metavar="G", help="diverse beam search: the beam in G groups (default: 3)")
    beam.add_argument(
        "--diversity", type=float, metavar="D", help="what a token costs that a group before has chosen (default: 0.5)"
    )
    sampling = parser.add_argument_group("sampling, in its place")
    sampling.add_argument("--samples", type=int, metavar="K", help="draw K hypotheses for each line")
    sampling.add_argument("--temperature", type=float, metavar="T", help="above 1 draws more evenly (default: 1.0)")
    sampling.add_argument("--top_k", type=int, metavar="N", help="draw from the N most probable tokens alone")
    sampling.add_argument(
        "--top_p", type=float, metavar="P", help="draw from the fewest tokens that have the probability P together"
    )
    sampling.add_argument("--seed", type=int, metavar="N", help="of the draws (default: 0)")
    return parser
