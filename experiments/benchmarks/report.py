"""What a benchmark leaves: a table to read, and a file with every repetition and all that it was made with."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tabulate import tabulate

from experiments.benchmarks.rounds import Measurements, Quantity, Rounds, interval, ratios, values_of
from experiments.processes.machine import machine
from experiments.runs.run_record import PACKAGES
from experiments.storage.commit import source_commit
from experiments.storage.durable import durable_write

PAIR_SECONDS = 60
"""Within a minute the speed of a machine seldom changes: pairs further apart are told."""


def comparison_table(quantities: Sequence[Quantity], rounds: Rounds) -> str:
    """Median, lowest and highest of each quantity of each system, and the first system's ratio to each other.

    Args:
        quantities: What was measured.
        rounds: The quiet ones of :func:`~experiments.benchmarks.rounds.in_turn`.

    Returns:
        A Markdown table, or words where there was no quiet round.
    """
    first, *others = rounds
    if not rounds[first]:
        return "No round was quiet: there is nothing to tell."
    lines = []
    for quantity in quantities:
        for system in rounds:
            if values := values_of(rounds, system, quantity.name):
                spread = [f"{value:,.{quantity.digits}f}" for value in (median(values), min(values), max(values))]
                found = ratios(rounds, first, system, quantity.name) if system in others else []
                low, high = interval(found) or (min(found, default=0.0), max(found, default=0.0))
                told = f"{median(found):.2f} ({low:.2f} to {high:.2f})" if found else ""
                lines.append([quantity.title, system, spread[0], f"{spread[1]} to {spread[2]}", told])
    headers = ["measure", "system", "median", "lowest to highest", f"{first} over it, pair by pair (95 %)"]
    aligned = ["left", "left", "right", "right", "right"]
    return str(tabulate(lines, headers=headers, tablefmt="pipe", colalign=aligned, disable_numparse=True))


def tell_comparison(
    given: argparse.Namespace,
    told: str,
    quantities: Sequence[Quantity],
    measured: Measurements,
    settings: Mapping[str, object] | Sequence[str],
) -> int:
    """Prints what was measured, and writes its report.

    Args:
        given: The options of the command, its name among them.
        told: What was measured, in words.
        quantities: For the table.
        measured: What each round measured.
        settings: The settings of the measurement, or the names of the options that are.

    Returns:
        The exit status of the command.

    Raises:
        RunFailed: The report cannot be written.
    """
    print(f"{told}\n{quietness(measured)}\n\n{comparison_table(quantities, measured.rounds)}")
    if not isinstance(settings, Mapping):
        settings = {name: getattr(given, name) for name in settings}
    write_report(given.output, given.what, settings, asdict(measured))
    return 0


def quietness(measured: Measurements) -> str:
    """What else the machine did, in words.

    Args:
        measured: What each round measured.
    """
    count, again = len(measured.quiet), len(measured.disturbed)
    others = [each.others for each in measured.quiet if each is not None]
    if not others and not again:
        return "this system does not tell what else it does: nothing is known of other work during the rounds"
    told = [f"quiet rounds: {count}"]
    if others:
        told.append(f"others had at most {max(others):.1%} of the machine in one of their measurements")
    if again:
        least, most = min(each.others for each in measured.disturbed), max(each.others for each in measured.disturbed)
        told.append(f"disturbed rounds, which do not count: {again}, in which they had {least:.1%} to {most:.1%}")
    if measured.seconds and max(measured.seconds) > PAIR_SECONDS:
        told.append(f"pairs begin up to {max(measured.seconds):.0f} seconds apart")
    return "; ".join(told)


def write_report(path: Path | None, what: str, settings: Mapping[str, object], results: Mapping[str, object]) -> None:
    """Writes what was measured, and with what.

    Args:
        path: Where to; None writes nothing.
        what: The benchmark's name.
        settings: Settings of the measurement.
        results: Plain values: every repetition, and what was made of them.

    Raises:
        RunFailed: The file cannot be written.
    """
    if path is None:
        return
    record = {
        "benchmark": what,
        "command": shlex.join(["seqlab", *sys.argv[1:]]),
        "commit": source_commit(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "settings": dict(settings),
        **results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_write(path) as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
    print(f"\nreport   {path}")


def hardware_line(threads: int, device: str) -> str:
    """What was measured on, in words.

    Args:
        threads: Number of CPU threads.
        device: ``cpu``, or a GPU that is there.
    """
    import torch

    processor = f"threads: {threads}; {machine()['processor']}"
    return processor if device == "cpu" else f"{torch.cuda.get_device_name(device)}; {processor}"
