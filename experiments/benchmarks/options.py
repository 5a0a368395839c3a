"""Options that benchmarks share."""

from __future__ import annotations

import argparse
from pathlib import Path

from datamodules.errors import UserError
from experiments.config.tool_parser import positive

PEER_NAMES = ("opennmt", "joeynmt", "yoyodyne", "marian")
"""The keys of :data:`experiments.benchmarks.peers.PEERS`, which need not be imported to be named in a help text."""

FLOAT32 = "32-true"
"""Lightning's name of single precision, in which the peers train."""


def add_report_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Adds ``--rounds``, ``--others`` and ``--output``, which every benchmark of speed takes.

    Args:
        parser: Gets them.
        rounds: The default.
    """
    parser.add_argument(
        "--rounds", type=positive, default=rounds, metavar="N", help=f"how often each is measured (default: {rounds})"
    )
    parser.add_argument(
        "--others",
        type=percent,
        default=5.0,
        metavar="PERCENT",
        help="a round in which other processes, or other virtual machines, had more of the machine's processor time is "
        "made again, as often as there are rounds (default: 5; 100 takes every round)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write every repetition, as JSON")


def add_config_option(parser: argparse.ArgumentParser, default: str, told: str) -> None:
    """Adds the experiment that is measured; :func:`check_config` comes after it.

    Args:
        parser: Gets it.
        default: A config that comes with seqlab.
        told: What is done with it, in words.
    """
    parser.add_argument(
        "--config", type=Path, default=Path(default), metavar="FILE", help=f"{told} (default: {default})"
    )


def check_config(given: argparse.Namespace) -> None:
    """Refuses a config that is not there.

    Args:
        given: The options of :func:`add_config_option`.

    Raises:
        UserError: There is no such file.
    """
    from experiments.config.shipped_configs import find_config

    if not find_config(given.config).is_file():
        raise UserError(f"--config {given.config}: there is no such file")


def percent(text: str) -> float:
    """A number from 0 to 100.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to 100")
    return value


def add_peer_options(parser: argparse.ArgumentParser) -> None:
    """Adds which toolkits are measured beside seqlab, where they are kept, and what all run on.

    Args:
        parser: Gets them.
    """
    parser.add_argument(
        "--peer",
        nargs="+",
        default=[],
        choices=PEER_NAMES,
        metavar="NAME",
        help=f"toolkits to measure beside seqlab: {', '.join(PEER_NAMES)} (default: none)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("benchmarks"),
        metavar="DIRECTORY",
        help="where the toolkits, their environments and all that is trained are kept (default: benchmarks)",
    )
    add_hardware_options(parser)


def add_hardware_options(parser: argparse.ArgumentParser) -> None:
    """Adds what is measured on.

    Args:
        parser: Gets it.
    """
    parser.add_argument("--threads", type=positive, default=2, metavar="N", help="of the CPU (default: 2)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1 (default: cpu)")


def check_device(device: str) -> None:
    """Refuses a device that is not there.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        UserError: It is another, or torch cannot use it.
    """
    if device == "cpu":
        return
    kind, _, number = device.partition(":")
    if kind != "cuda" or (":" in device and not number.isdigit()):
        raise UserError(f"--device is {device}: give cpu, cuda or cuda:1")
    import torch

    if int(number or 0) >= torch.cuda.device_count():
        raise UserError(f"--device is {device}, but torch can use {torch.cuda.device_count()} GPUs here: give cpu")
