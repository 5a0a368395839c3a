"""``seqlab benchmark``: one word says what is measured."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser
from experiments.storage.outputs import check_outputs

BENCHMARKS = {
    "models": "experiments.benchmarks.commands.models",
    "train": "experiments.benchmarks.commands.train",
    "decode": "experiments.benchmarks.commands.decode",
    "growth": "experiments.benchmarks.commands.growth",
    "startup": "experiments.benchmarks.commands.startup",
    "data": "experiments.benchmarks.commands.data",
    "quality": "experiments.benchmarks.commands.quality",
}
"""Where each benchmark's ``SUMMARY``, ``DESCRIPTION``, ``add_options(parser)`` and ``run(given) -> int`` are."""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab benchmark``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is unknown or out of range, or the report has no place.
        RunFailed: A run or a measurement failed.
    """
    parser = ToolParser(prog="seqlab benchmark", description="Measures what seqlab's models and commands cost.")
    chosen = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, module in BENCHMARKS.items():
        benchmark = importlib.import_module(module)
        options = chosen.add_parser(
            name,
            help=benchmark.SUMMARY,
            description=benchmark.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        benchmark.add_options(options)
        options.set_defaults(run=benchmark.run)
    given = parser.parse_args(arguments)
    _check_output(given)
    return int(given.run(given))


def _check_output(given: argparse.Namespace) -> None:
    """Refuses a report that could not be written, before hours are measured; makes its directory."""
    options: dict[str, object] = vars(given)
    output, config = options.get("output"), options.get("config")
    if not isinstance(output, Path):
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: cannot make the directory {output.parent}: {error.strerror}") from error
    check_outputs([("--config", config)] if isinstance(config, Path) else [], {"--output": output})
