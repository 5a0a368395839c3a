"""``seqlab benchmark train``: how fast a translation model trains, beside other toolkits and the machine's limit."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from experiments.benchmarks.options import FLOAT32, add_peer_options, add_report_options
from experiments.config.tool_parser import positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from experiments.benchmarks.peers import Peer, TrainingSpeed

SUMMARY = "training speed and memory of a translation model, beside peers and the machine's limit"

DESCRIPTION = """\
Trains one model, a bidirectional LSTM encoder and an LSTM decoder with additive attention that is fed its last output,
on Multi30k with seqlab fit, and the same with each peer: toolkits that are installed from their packages, each into an
environment of its own in DIRECTORY. The systems take turns, a process each, on the CPU or on a GPU. Told are target
tokens per second as each system logs them, milliseconds of a step, and the peak memory of the process: the machine's,
not the GPU's.

The limit is the time that torch.mm takes, in the same round, for the multiplications of a step at the model's own
shapes: fraction of the limit is the speed over that. On AMD's processors seqlab's layers multiply by oneDNN,
which is faster than torch.mm there: the layers' limit is the time that their own products take.

examples:
  seqlab benchmark train
  seqlab benchmark train --peer opennmt joeynmt yoyodyne --output train.json
  seqlab benchmark train --device cuda --precision bf16-mixed
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark train`` takes."""
    add_peer_options(parser)
    parser.add_argument(
        "--precision",
        choices=(FLOAT32, "bf16-mixed"),
        default=FLOAT32,
        help=f"of seqlab's training, without peers (default: {FLOAT32})",
    )
    parser.add_argument("--steps", type=positive, default=100, metavar="N", help="updates of a round (default: 100)")
    add_report_options(parser, rounds=3)


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: The corpus or the device is not there, or there are too few steps.
        RunFailed: A system could not be installed, or failed.
    """
    import torch

    from experiments.benchmarks.limit import LIMITS, step_limit
    from experiments.benchmarks.operations import forward_operations, translation_products
    from experiments.benchmarks.peers import recipe
    from experiments.benchmarks.pieces import mean_batch
    from experiments.benchmarks.report import hardware_line, tell_comparison
    from experiments.benchmarks.rounds import Quantity, System, in_turn
    from experiments.benchmarks.setup import setup_of
    from experiments.checkpoints.loading import load_translator

    torch.set_num_threads(given.threads)
    setup = setup_of(given, precision=given.precision)
    (model,) = load_translator(setup.own.checkpoint, device="cpu").members
    dtype = torch.float32 if given.precision == FLOAT32 else torch.bfloat16
    counts = mean_batch(setup.corpus, recipe.BATCH_SIZE)

    def own() -> Mapping[str, float]:
        limits = {
            kind: step_limit(model, counts, given.device, dtype, multiply).target_tokens_per_second
            for kind, multiply in LIMITS.items()
        }
        quantities = _quantities(setup.own.train(given.steps))
        speed = quantities["target_tokens_per_second"]
        fractions = {f"fraction of the {kind}": speed / limit for kind, limit in limits.items()}
        return {**quantities, **fractions, **limits}

    systems = [
        System("seqlab", own),
        *(System(peer.title, partial(_trained, peer, given.steps)) for peer in setup.peers),
    ]
    measured = in_turn(systems, given.rounds, warm_up=0, most_others=given.others / 100)
    quantities = [
        Quantity("target_tokens_per_second", "target tokens per second", "higher"),
        Quantity("milliseconds_per_step", "milliseconds per step", "lower"),
        Quantity("peak_memory_mib", "peak memory (MiB)", "lower"),
        *(Quantity(name, name, "higher", digits=2) for name in (f"fraction of the {kind}" for kind in LIMITS)),
        *(Quantity(kind, f"{kind}, target tokens per second", "higher") for kind in LIMITS),
    ]
    step = 3 * forward_operations(translation_products(model), counts)
    told = (
        f"{given.rounds} rounds of {given.steps} updates, batches of {recipe.BATCH_SIZE} sentences "
        f"({counts.target_tokens} target tokens in the mean), {step / 1e9:.1f} billion operations in a step; "
        f"{given.precision}; {hardware_line(given.threads, given.device)}"
    )
    names = ("steps", "rounds", "threads", "device", "precision")
    settings = {**{name: getattr(given, name) for name in names}, "operations_of_a_step": step}
    return tell_comparison(given, told, quantities, measured, settings)


def _trained(peer: Peer, steps: int) -> dict[str, float]:
    return _quantities(peer.train(steps))


def _quantities(speed: TrainingSpeed) -> dict[str, float]:
    return {
        "target_tokens_per_second": speed.target_tokens_per_second,
        "milliseconds_per_step": speed.milliseconds_per_step,
        "peak_memory_mib": speed.peak_memory_mib,
    }
