"""seqlab and the peers, ready to be measured: installed, and on the same pieces of the same text."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import UserError
from experiments.benchmarks.options import FLOAT32, check_device
from experiments.benchmarks.peers import PEERS, Peer, PeerCorpus, recipe
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.pieces import write_pieces
from experiments.benchmarks.seqlab_system import CONFIG, Seqlab
from experiments.checkpoints.loading import load_translator
from experiments.config.shipped_configs import find_config


@dataclass(frozen=True)
class Setup:
    """What is ready to be measured.

    Attributes:
        own: seqlab; it has been trained for some steps, so that its caches are warm.
        peers: Installed, and given the corpus.
        corpus: In the pieces of seqlab's tokenizer.
    """

    own: Seqlab
    peers: list[Peer]
    corpus: PeerCorpus


def setup_of(given: argparse.Namespace, trained: bool = False, precision: str = FLOAT32) -> Setup:
    """Makes everything ready.

    Args:
        given: With ``peer``, ``directory``, ``threads`` and ``device``.
        trained: seqlab keeps the checkpoint that it has.
        precision: Precision of seqlab's training, as Lightning names it.

    Raises:
        UserError: The config, the corpus or the device is not there, or a peer would train in another precision.
        RunFailed: A peer could not be installed, or seqlab's own training failed.
    """
    check_device(given.device)
    if given.peer and precision != FLOAT32:
        raise UserError(f"--precision {precision}: the peers train in float32; leave out --peer")
    directory: Path = given.directory
    hardware = Hardware(given.threads, given.device)
    own = Seqlab(directory, find_config(CONFIG), hardware, precision)
    if not trained:
        own.train(recipe.MIN_STEPS)
    corpus = write_pieces(directory / "pieces", load_translator(own.checkpoint, device="cpu").source_tokenizer)
    peers = [PEERS[name](directory) for name in given.peer]
    for peer in peers:
        peer.prepare(corpus, hardware)
    return Setup(own, peers, corpus)
