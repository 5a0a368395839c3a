"""``seqlab benchmark decode``: how fast a model translates, beside other toolkits and the machine's limit."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from experiments.benchmarks.options import add_peer_options, add_report_options
from experiments.config.tool_parser import positive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from experiments.benchmarks.peers import Translation

SUMMARY = "speed of translation, greedy and by beam search, beside peers and the machine's limit"

DESCRIPTION = """\
Trains the model of seqlab benchmark train with every system, long enough that its sentences end, and translates the
test set: greedily and with a beam of 5, one sentence at a time and in batches. The systems take turns, a process each,
on the CPU or on a GPU; the time that a process takes to start is not counted.

Which of the batch sizes is best is found for each system by itself, before the rounds. The limit is the time that
torch.mm takes, in the same round, for the multiplications of the search: fraction of the limit is the speed over that.
On AMD's processors seqlab's layers multiply by oneDNN, which is faster than torch.mm there: the layers' limit is the
time that their own products take.

Models that were trained shortly write translations of unlike lengths, so that speed is told by the token too: the
pieces of seqlab's tokenizer, and an end for each translation.

examples:
  seqlab benchmark decode
  seqlab benchmark decode --peer opennmt --output decode.json
  seqlab benchmark decode --peer opennmt --trained      measure again, with the models that are there
"""

BEAMS = {"greedy": 1, "beam 5": 5}
"""The searches that are measured, and the hypotheses that each keeps."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what ``seqlab benchmark decode`` takes."""
    add_peer_options(parser)
    parser.add_argument(
        "--steps", type=positive, default=600, metavar="N", help="updates of training before (default: 600)"
    )
    parser.add_argument("--trained", action="store_true", help="take the models that an earlier call has trained")
    parser.add_argument(
        "--sentences", type=positive, default=1000, metavar="N", help="of the test set, in batches (default: 1000)"
    )
    parser.add_argument(
        "--singles", type=positive, default=100, metavar="N", help="of the test set, one at a time (default: 100)"
    )
    parser.add_argument(
        "--batch_sizes",
        type=positive,
        nargs="+",
        default=[32, 128, 512],
        metavar="N",
        help="sentences of a batch, of which the best is taken (default: 32 128 512)",
    )
    add_report_options(parser, rounds=3)


def run(given: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        given: The options.

    Returns:
        The exit status.

    Raises:
        UserError: The corpus or the device is not there, or with ``--trained`` a model.
        RunFailed: A system could not be installed, or failed.
    """
    import torch

    from experiments.benchmarks.limit import LIMITS, search_limit
    from experiments.benchmarks.report import hardware_line, tell_comparison
    from experiments.benchmarks.rounds import Quantity, System, in_turn
    from experiments.benchmarks.searching import closed_lengths, search_counts, searching_quantities
    from experiments.benchmarks.setup import setup_of
    from experiments.checkpoints.loading import load_translator

    torch.set_num_threads(given.threads)
    setup = setup_of(given, given.trained)
    text = setup.corpus.test_source.with_name("text.source")
    if not given.trained:
        setup.own.train(given.steps)
        for peer in setup.peers:
            peer.train(given.steps)
    translates: dict[str, Callable[[int, int, int], Translation]] = {
        "seqlab": partial(setup.own.translate, text),
        **{peer.title: peer.translate for peer in setup.peers},
    }
    best = {
        name: {search: _best_batch(translate, beam, given) for search, beam in BEAMS.items()}
        for name, translate in translates.items()
    }
    translator = load_translator(setup.own.checkpoint, device=given.device)

    def count_tokens(hypotheses: list[str]) -> int:
        return sum(closed_lengths(translator.target_tokenizer, hypotheses))

    def measure(name: str) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for search, beam in BEAMS.items():
            alone = translates[name](beam, 1, given.singles)
            batched = translates[name](beam, best[name][search], given.sentences)
            found |= searching_quantities(search, alone, batched, count_tokens)
            if name == "seqlab":
                counts = search_counts(translator, text, batched)
                rate = counts.sentences / batched.search_seconds
                for kind, multiply in LIMITS.items():
                    seconds = search_limit(translator.members[0], counts, beam, best[name][search], multiply)
                    limit = counts.sentences / seconds
                    found |= {f"{search}, {kind}": limit, f"{search}, fraction of the {kind}": rate / limit}
        return found

    measured = in_turn(
        [System(name, partial(measure, name)) for name in translates],
        given.rounds,
        warm_up=0,
        most_others=given.others / 100,
    )
    quantities = []
    for search in BEAMS:
        quantities += [
            Quantity(f"{search}, one at a time", f"{search}, sentences per second, one at a time", "higher", digits=1),
            Quantity(f"{search}, latency", f"{search}, milliseconds of one sentence", "lower", digits=1),
            Quantity(f"{search}, latency of a token", f"{search}, milliseconds of one token, alone", "lower", digits=2),
            Quantity(f"{search}, batches", f"{search}, sentences per second, best batch", "higher", digits=1),
            Quantity(f"{search}, tokens in batches", f"{search}, tokens per second, best batch", "higher", digits=0),
        ]
        for kind in LIMITS:
            name = f"{search}, {kind}"
            quantities.append(Quantity(name, f"{name}, sentences per second", "higher", digits=1))
            name = f"{search}, fraction of the {kind}"
            quantities.append(Quantity(name, name, "higher", digits=2))
    batches = "; ".join(
        f"{name}: " + ", ".join(f"{search} {size}" for search, size in best[name].items()) for name in best
    )
    told = (
        f"{given.rounds} rounds of {given.sentences} sentences, and {given.singles} one at a time; "
        f"{hardware_line(given.threads, given.device)}; best batches: {batches}"
    )
    settings = {
        "steps": None if given.trained else given.steps,
        "rounds": given.rounds,
        "threads": given.threads,
        "device": given.device,
        "sentences": given.sentences,
        "singles": given.singles,
        "best_batch_sizes": best,
    }
    return tell_comparison(given, told, quantities, measured, settings)


def _best_batch(translate: Callable[[int, int, int], Translation], beam_size: int, given: argparse.Namespace) -> int:
    """The batch size with the shortest search."""
    seconds = {size: translate(beam_size, size, given.sentences).search_seconds for size in given.batch_sizes}
    return min(seconds, key=lambda size: seconds[size])
