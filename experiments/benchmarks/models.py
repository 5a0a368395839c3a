"""Models side by side: what each costs, measured in a process of its own, and what it reaches at equal updates."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from tabulate import tabulate

from datamodules.errors import RunFailed
from experiments.benchmarks.probe import Probe
from experiments.studies.statistics import Summary

ROUNDS = 3
"""How often each model is measured, the models in turn; of the rounds the median counts."""


@dataclass(frozen=True)
class Measured:
    """What is known of one model.

    Attributes:
        name: Name of its variant.
        probe: What it costs.
        quality: What it reaches, over seeds.
    """

    name: str
    probe: Probe
    quality: Summary


def probed(checkpoints: Mapping[str, Path], device: str, threads: int) -> Iterator[tuple[str, Probe]]:
    """Measures each model several times in turn, each time in a process of its own.

    Args:
        checkpoints: By name.
        device: Where they run.
        threads: Number of CPU threads.

    Yields:
        The name and the measurement, as each is done.

    Raises:
        RunFailed: A process failed.
    """
    for _ in range(ROUNDS):
        for name, checkpoint in checkpoints.items():
            words = [str(checkpoint), "--device", device, "--threads", str(threads)]
            done = subprocess.run(
                [sys.executable, "-m", "experiments.benchmarks.probe", *words],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                told = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
                raise RunFailed(f"cannot measure {name}: {told[-1]}")
            yield name, Probe(**json.loads(done.stdout.splitlines()[-1]))


def median_probe(rounds: Sequence[Probe]) -> Probe:
    """The median of each measurement.

    Args:
        rounds: The measurements of one model.
    """
    measured = ("latency_median", "latency_p95", "memory", "memory_added", "training_rate")
    return replace(rounds[0], **{name: median(getattr(each, name) for each in rounds) for name in measured})


def table_of(models: Iterable[Measured], quality: str) -> str:
    """The measurements in Markdown, a line for each model.

    Args:
        models: What was measured.
        quality: What the quality is called.
    """
    names = ["model", "parameters", "operations for a sequence", "latency (ms)", "95th percentile (ms)"]
    names += ["peak memory (MiB)", "of it the model's", "training (sequences/s)", quality, "sd"]
    lines = [
        [
            each.name,
            f"{each.probe.parameters:,}",
            f"{each.probe.operations:,}",
            f"{each.probe.latency_median:.3f}",
            f"{each.probe.latency_p95:.3f}",
            f"{each.probe.memory:.1f}",
            f"{each.probe.memory_added:.1f}",
            f"{each.probe.training_rate:,.0f}",
            f"{each.quality.mean:.4f}",
            "" if each.quality.deviation is None else f"{each.quality.deviation:.4f}",
        ]
        for each in models
    ]
    aligned = ["left", *["right"] * (len(names) - 1)]
    return str(tabulate(lines, headers=names, tablefmt="pipe", colalign=aligned, disable_numparse=True))
