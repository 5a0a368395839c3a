"""``seqlab benchmark models``: what classifiers cost and what they reach, measured."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.benchmarks.options import check_device
from experiments.config.tool_parser import positive
from experiments.storage.layout import CHECKPOINTS
from experiments.studies.command import add_study_options, run_study
from experiments.studies.plan import Key, study_directory
from experiments.studies.results import Row
from experiments.studies.study import Study, find_study, panels_of, read_study

if TYPE_CHECKING:
    from experiments.benchmarks.models import Measured
    from experiments.benchmarks.probe import Probe

STUDY = "models"
"""The study whose runs are measured."""

REPORT = "benchmark.md"

HEADING = f"# Benchmark {STUDY}\n\n"
"""Of the report; what follows is how it was measured, the table, and the picture."""

PICTURE = "figures/benchmark.png"

SUMMARY = "RNN, LSTM, GRU and bidirectional LSTM side by side: cost, and quality at equal updates"

DESCRIPTION = """\
Measures RNN, LSTM, GRU and bidirectional LSTM on signed sums side by side: parameters, floating-point operations by
formula, latency, peak memory and training speed, each in a process of its own, and the quality that they reach at equal
updates. First runs seqlab study models, or takes its runs where they are finished: it trains each model with several
seeds. Then each model is measured several times in turn. STUDIES/models/PRESET/ gets benchmark.md and
figures/benchmark.png.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark models`` takes."""
    add_study_options(parser)
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:1 (default: cpu)")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="of the CPU (default: 1)")


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, or there is no such preset.
        RunFailed: A run or a measurement failed.
    """
    check_device(given.device)
    study = read_study(find_study(STUDY))
    rows = run_study(study, given)
    told = measured_costs(study, rows, given)
    directory = study_directory(given.directory, study, given.preset)
    print(f"{told}\n\ntable    {directory / REPORT}\nfigure   {directory / PICTURE}")
    return 0


def measured_costs(study: Study, rows: Mapping[Key, Row], given: argparse.Namespace) -> str:
    """Measures each model of the study, and writes what was found beside its runs.

    Args:
        study: The study *models*.
        rows: Its finished runs.
        given: The options of the command.

    Returns:
        How it was measured, and the table, in Markdown.

    Raises:
        RunFailed: A measurement failed.
    """
    from experiments.benchmarks.models import ROUNDS, Measured, median_probe, table_of
    from experiments.figures.benchmark import Bars, benchmark_figure
    from experiments.loggers.media import write_figure
    from experiments.storage.durable import durable_write
    from experiments.studies.comparison import compare

    directory = study_directory(given.directory, study, given.preset)
    rounds = _probes(study, rows, given)
    comparison = compare(study, rows, given.seeds)[0]
    models = [
        Measured(entry.place.variant, median_probe(rounds[entry.place.variant]), entry.summary)
        for entry in comparison.entries
    ]
    bars = [
        Bars(
            name=each.name,
            parameters=each.probe.parameters,
            latency=(each.probe.latency_median, each.probe.latency_p95),
            memory=(each.probe.memory, each.probe.memory_added),
            quality=(each.quality.mean, each.quality.deviation or 0.0),
        )
        for each in models
    ]
    write_figure(benchmark_figure(bars, comparison.metric.title), directory / PICTURE)
    caption = _caption(models, rows, ROUNDS, len(given.seeds))
    told = f"{caption}\n\n{table_of(models, comparison.metric.title)}"
    with durable_write(directory / REPORT) as file:
        file.write(f"{HEADING}{told}\n\n![{PICTURE}]({PICTURE})\n".encode())
    return told


def _probes(study: Study, rows: Mapping[Key, Row], given: argparse.Namespace) -> Mapping[str, list[Probe]]:
    """The measurements of each variant: of the model with the first seed."""
    from tqdm import tqdm

    from experiments.benchmarks.models import ROUNDS, probed

    ((_, panel),) = panels_of(study).items()
    checkpoints = {
        name: Path(rows["", name, given.seeds[0]]["run"]) / CHECKPOINTS / f"{study.checkpoint}.ckpt"
        for name in panel.variants
    }
    rounds: defaultdict[str, list[Probe]] = defaultdict(list)
    with tqdm(total=ROUNDS * len(checkpoints), desc="measurements", disable=None) as bar:
        for name, probe in probed(checkpoints, given.device, given.threads):
            rounds[name].append(probe)
            bar.update()
    return rounds


def _caption(models: Sequence[Measured], rows: Mapping[Key, Row], rounds: int, seeds: int) -> str:
    """How it was measured."""
    probe = models[0].probe
    commits = ", ".join(sorted({row["commit"] or "unknown" for row in rows.values()}))
    return (
        f"Median of {rounds} rounds on {probe.device}, threads: {probe.threads}. Latency is from one test sequence to "
        "its logits, and its 95th percentile mostly that of the lengths; operations are of a sequence of the mean "
        f"length, {probe.length:.0f}. Memory is the peak of a process that trains the model, and how far that is above "
        "what it held before it made the model. Training is forward, backward and update on batches that lie ready. "
        f"Quality is the mean over {seeds} seeds at equal updates; commit {commits}."
    )
