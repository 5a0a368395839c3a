"""``seqlab benchmark startup``: how long seqlab's commands take from the start of their process."""

from __future__ import annotations

import argparse

from experiments.benchmarks.options import add_config_option, add_report_options, check_config
from experiments.processes.machine import machine

SUMMARY = "seconds from the start of a process to its help, its config, its first training step"

DESCRIPTION = """\
Times whole processes, one after the other in turn: seqlab --help, seqlab fit --help, seqlab fit --print_config, and
seqlab fit to the end of its first optimizer step, with the data prepared before. A bare LightningCLI that trains one
linear layer is timed to its first step as well: what torch and Lightning take by themselves. fit without W&B tells what
that takes. Processor seconds are of the whole process with its children, and hardly depend on what else runs.

examples:
  seqlab benchmark startup
  seqlab benchmark startup --config configs/nmt/multi30k.yaml --rounds 5 --output startup.json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark startup`` takes."""
    add_config_option(parser, "configs/nmt/dates.yaml", "the experiment that is started")
    add_report_options(parser, rounds=3)


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such config.
        RunFailed: A command failed.
    """
    from experiments.benchmarks.report import tell_comparison
    from experiments.benchmarks.rounds import Quantity, System, in_turn
    from experiments.benchmarks.startup import BARE_LIGHTNING, SEQLAB, command_times, first_step_times

    check_config(given)
    fit = (*SEQLAB, "fit", "--config", str(given.config))
    bare = (*BARE_LIGHTNING, "fit")
    systems = [
        System("fit, first step", lambda: first_step_times(fit, {})),
        System("fit without W&B, first step", lambda: first_step_times(fit, {"WANDB_MODE": "disabled"})),
        System("bare LightningCLI, first step", lambda: first_step_times(bare, {})),
        System("fit --print_config", lambda: command_times([*fit, "--print_config"])),
        System("fit --help", lambda: command_times([*SEQLAB, "fit", "--help"])),
        System("--help", lambda: command_times([*SEQLAB, "--help"])),
    ]
    first_step_times(fit, {})  # prepares the data
    measured = in_turn(systems, given.rounds, warm_up=0, most_others=given.others / 100)
    quantities = [
        Quantity("seconds", "seconds", "lower", digits=2),
        Quantity("processor_seconds", "processor seconds", "lower", digits=2),
    ]
    told = f"{given.rounds} rounds; {given.config}; {machine()['processor']}, cores: {machine()['cores']}"
    return tell_comparison(given, told, quantities, measured, {"config": str(given.config), "rounds": given.rounds})
