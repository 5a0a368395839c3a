"""``seqlab benchmark growth``: how a training step grows with lengths, and what scheduled sampling adds to it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from experiments.benchmarks.options import add_hardware_options, add_report_options, check_device
from experiments.config.tool_parser import positive

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY = "time of a training step by the lengths of target and memory, and with scheduled sampling"

DESCRIPTION = """\
Measures forward and backward pass of the model of seqlab benchmark train, on batches of random tokens of one length:
for several lengths of the target, for several lengths of the source, which are those of the memory, and with scheduled
sampling at a ratio of 0.5 beside teacher forcing. All take turns.

examples:
  seqlab benchmark growth
  seqlab benchmark growth --targets 10 50 200 --sources 10 1000 --device cuda
"""

SOURCE, TARGET = 15, 16
"""Tokens of a source and a target where the other's length changes: about those of Multi30k."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark growth`` takes."""
    parser.add_argument(
        "--targets", type=positive, nargs="+", default=[10, 20, 50, 100, 200], metavar="N", help="target lengths"
    )
    parser.add_argument(
        "--sources", type=positive, nargs="+", default=[10, 30, 100, 300, 1000], metavar="N", help="memory lengths"
    )
    parser.add_argument("--steps", type=positive, default=5, metavar="N", help="steps of a round (default: 5)")
    add_hardware_options(parser)
    add_report_options(parser, rounds=3)


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: The device is not there.
    """
    from dataclasses import asdict
    from statistics import median

    import torch

    from experiments.benchmarks.growth import Lengths, random_batch, recipe_model, step_milliseconds
    from experiments.benchmarks.report import comparison_table, hardware_line, quietness, write_report
    from experiments.benchmarks.rounds import Quantity, System, in_turn, ratios
    from lightning_modules.forcing import Constant, ParallelScheduledSampling, ScheduledSampling

    check_device(given.device)
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    feedings = {
        "teacher forcing": None,
        "scheduled sampling, step by step": ScheduledSampling(Constant()),
        "scheduled sampling, two passes": ParallelScheduledSampling(Constant()),
    }
    models = {name: recipe_model(device, forcing) for name, forcing in feedings.items()}
    teacher = models["teacher forcing"]

    def system(name: str, lengths: Lengths) -> System:
        model, batch = models.get(name, teacher), random_batch(lengths, device)

        def measure() -> Mapping[str, float]:
            milliseconds = step_milliseconds(model, batch, given.steps)
            return {"milliseconds": milliseconds, "microseconds": 1000 * milliseconds / lengths.target}

        return System(name, measure)

    groups = {
        "target": [system(f"target of {length}", Lengths(SOURCE, length)) for length in given.targets],
        "memory": [system(f"memory of {length}", Lengths(length, TARGET)) for length in given.sources],
        "forcing": [system(name, Lengths(SOURCE, TARGET)) for name in models],
    }
    quantities = [
        Quantity("milliseconds", "milliseconds of a step", "lower"),
        Quantity("microseconds", "microseconds for each position of the target", "lower"),
    ]
    print(f"{given.rounds} rounds of {given.steps} steps; {hardware_line(given.threads, given.device)}")
    measured = {}
    for group, systems in groups.items():
        measured[group] = in_turn(systems, given.rounds, warm_up=0, most_others=given.others / 100)
        print(f"\n{quietness(measured[group])}\n\n{comparison_table(quantities, measured[group].rounds)}")
    for name in list(models)[1:]:
        if costs := ratios(measured["forcing"].rounds, name, "teacher forcing", "milliseconds"):
            print(f"{name}: {median(costs):.2f} times the step of teacher forcing")
    settings = {name: getattr(given, name) for name in ("targets", "sources", "steps", "rounds", "threads", "device")}
    write_report(given.output, "growth", settings, {group: asdict(each) for group, each in measured.items()})
    return 0
