"""``seqlab benchmark data``: what preparing and loading a corpus takes, by its size."""

from __future__ import annotations

import argparse

from experiments.benchmarks.options import add_report_options
from experiments.config.tool_parser import positive
from experiments.processes.machine import machine
from experiments.storage.outputs import check_outputs

SUMMARY = "time to prepare corpora of several sizes, speed of loading them, and memory"

DESCRIPTION = """\
Makes corpora of several sizes of a small one, which is repeated with its words rotated and a number at each end, so
that no two lines are the same. Each goes through TranslationDataModule with a tokenizer trained on the small corpus:
told are the seconds to prepare it (read, checked, encoded, written) and pairs per second; then, in a process of its
own, the seconds from the data module to the first batch, the private memory before and after loading batches, and
batches and target tokens per second of loading alone; last, the target tokens per second of training the model of
seqlab benchmark train on its batches.

Files are looked for in the working directory, then in $SEQLAB_DATA, else in data/.

examples:
  seqlab benchmark data
  seqlab benchmark data --pairs 29000 290000 2900000 --rounds 1 --output data.json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark data`` takes."""
    parser.add_argument(
        "--pairs",
        type=positive,
        nargs="+",
        default=[29_000, 290_000],
        metavar="N",
        help="sizes of the corpora (default: 29000 290000)",
    )
    for side, name in (("source", "train.en.gz"), ("target", "train.de.gz")):
        parser.add_argument(
            f"--{side}",
            default=f"multi30k/{name}",
            metavar="FILE",
            help=f"the {side}s of the small corpus (default: multi30k/{name})",
        )
    parser.add_argument(
        "--vocabulary_size", type=positive, default=6000, metavar="N", help="of the tokenizer (default: 6000)"
    )
    parser.add_argument(
        "--batch_size", type=positive, default=64, metavar="N", help="sentence pairs of a batch (default: 64)"
    )
    parser.add_argument("--batches", type=positive, default=300, metavar="N", help="how many are loaded (default: 300)")
    parser.add_argument(
        "--steps", type=positive, default=20, metavar="N", help="batches that are trained on (default: 20)"
    )
    add_report_options(parser, rounds=3)


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: The small corpus is not there, or does not fit the vocabulary.
        RunFailed: A corpus could not be prepared or loaded.
    """
    from functools import partial
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from datamodules.corpora.corpus import TextFiles
    from experiments.benchmarks.data import DataBenchmark
    from experiments.benchmarks.report import tell_comparison
    from experiments.benchmarks.rounds import Quantity, System, in_turn

    texts = TextFiles(given.source, given.target)
    check_outputs(zip(("--source", "--target"), texts.files(), strict=True), {"--output": given.output})
    with TemporaryDirectory(prefix="seqlab-") as directory:
        benchmark = DataBenchmark(
            Path(directory),
            texts,
            given.vocabulary_size,
            given.batch_size,
            given.batches,
            given.steps,
        )
        benchmark.train_tokenizer()
        sizes = dict.fromkeys(given.pairs)
        systems = [System(f"{pairs:,} pairs", partial(benchmark.measure, pairs)) for pairs in sizes]
        measured = in_turn(systems, given.rounds, warm_up=0, most_others=given.others / 100)
    quantities = [
        Quantity("prepare_seconds", "seconds to prepare", "lower", digits=2),
        Quantity("pairs_per_second", "pairs prepared per second", "higher"),
        Quantity("second_start_seconds", "seconds of a second start", "lower", digits=2),
        Quantity("private_memory_before_mib", "private memory before (MiB)", "lower", digits=1),
        Quantity("private_memory_after_mib", "private memory after (MiB)", "lower", digits=1),
        Quantity("batches_per_second", "batches loaded per second", "higher"),
        Quantity("target_tokens_per_second", "target tokens loaded per second", "higher"),
        Quantity("trained_tokens_per_second", "target tokens trained per second", "higher"),
    ]
    told = (
        f"{given.rounds} rounds; {given.batches} batches of {given.batch_size} pairs; vocabulary of "
        f"{given.vocabulary_size:,}; {machine()['processor']}, cores: {machine()['cores']}"
    )
    names = ("pairs", "source", "target", "vocabulary_size", "batch_size", "batches", "steps", "rounds")
    return tell_comparison(given, told, quantities, measured, names)
