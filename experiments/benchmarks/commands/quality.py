"""``seqlab benchmark quality``: minutes until a training has reached given scores on its test set."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from experiments.benchmarks.options import add_config_option, check_config
from experiments.processes.machine import machine

SUMMARY = "minutes of a training until it has reached given scores on its test set"

DESCRIPTION = """\
Trains a config by seqlab fit, keeps the checkpoint of each epoch, and tests them all as seqlab test does, with the
config's own search. Minutes are from the start of seqlab fit until a checkpoint lies on the disk: imports, preparation
of data and validations are among them, tests are not. What else the machine did meanwhile is told.

Further options of seqlab fit stand at the end, after --.

examples:
  seqlab benchmark quality
  seqlab benchmark quality --levels 36 38.6 40 41 --seed 2 --output quality.json
  seqlab benchmark quality --config configs/nmt/dates.yaml --metric test/exact_match --levels 0.5 0.9
  seqlab benchmark quality --levels 30 -- --trainer.max_epochs 8
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark quality`` takes."""
    add_config_option(parser, "configs/nmt/multi30k.yaml", "the experiment")
    parser.add_argument("--metric", default="test/bleu", metavar="NAME", help="of a test (default: test/bleu)")
    parser.add_argument(
        "--levels",
        type=_number,
        nargs="+",
        default=[36.0, 38.6, 40.0, 41.0],
        metavar="SCORE",
        help="the scores (default: 36 38.6 40 41)",
    )
    parser.add_argument("--falls", action="store_true", help="less is better, as of a loss")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the training (default: 1)")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("benchmarks") / "quality",
        metavar="DIR",
        help="where the run is kept (default: benchmarks/quality)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write all that was measured as JSON")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="further options of seqlab fit")


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such config, it is refused, or its test does not log the metric.
        RunFailed: The training or a test failed.
    """
    from dataclasses import asdict

    from tabulate import tabulate
    from tqdm import tqdm

    from experiments.benchmarks.machine_watch import MachineWatch
    from experiments.benchmarks.quality import TimedTraining, reached
    from experiments.benchmarks.report import write_report
    from experiments.storage.commit import source_commit

    check_config(given)
    words = ["--config", str(given.config), "--seed_everything", str(given.seed), *given.options]
    training = TimedTraining(words, given.directory)
    watch = MachineWatch() if MachineWatch.available() else None
    checkpoints = training.train()
    beside = watch.end() if watch else None
    bar = tqdm(training.measured(checkpoints, given.metric), total=len(checkpoints), desc="tests", disable=None)
    points = list(bar)
    found = reached(points, given.levels, given.falls)
    told = [f"{given.config}, seed {given.seed}, commit {source_commit() or 'unknown'}"]
    told.append(f"{machine()['processor']}, cores: {machine()['cores']}")
    if beside:
        told.append(f"others had {beside.others:.1%} of the machine during the training")
    lines = [
        [f"{each.level:g}", "not reached" if each.minutes is None else f"{each.minutes:.1f}", each.checkpoint]
        for each in found
    ]
    print("; ".join(told) + "\n")
    print(tabulate(lines, headers=[given.metric, "minutes", "checkpoint"], tablefmt="pipe", disable_numparse=True))
    best = (min if given.falls else max)(points, key=lambda each: each.value)
    print(f"\nbest: {best.value:.4g} after {best.minutes:.1f} minutes ({best.checkpoint})")
    settings = {name: getattr(given, name) for name in ("metric", "levels", "seed", "options")}
    write_report(
        given.output,
        given.what,
        {"config": str(given.config), **settings},
        {
            "points": [asdict(each) for each in points],
            "reached": [asdict(each) for each in found],
            "beside": asdict(beside) if beside else None,
        },
    )
    return 0


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return found
