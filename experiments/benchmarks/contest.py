"""seqlab and the peers, ready to be measured: installed, and on the same pieces of the same text."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import UserError
from experiments.benchmarks.own import CONFIG, Seqlab
from experiments.benchmarks.peers import PEERS, Peer, PeerCorpus, recipe
from experiments.benchmarks.pieces import write_pieces
from experiments.runs.translator import load_translator


@dataclass(frozen=True)
class Contest:
    """Those who take part.

    Attributes:
        own: seqlab; it has been trained for some steps, so that its caches are warm.
        peers: Installed, and given the corpus.
        corpus: In the pieces of seqlab's tokenizer.
    """

    own: Seqlab
    peers: list[Peer]
    corpus: PeerCorpus


def contest_of(given: argparse.Namespace, trained: bool = False) -> Contest:
    """Makes everything ready.

    Args:
        given: With ``peer``, ``directory`` and ``threads``.
        trained: seqlab keeps the checkpoint that it has.

    Raises:
        UserError: The config or the corpus is not there.
        RunFailed: A peer could not be installed, or seqlab's own training failed.
    """
    if not CONFIG.is_file():
        raise UserError(f"no file {CONFIG}: type the command in the directory of the project")
    directory: Path = given.directory
    own = Seqlab(directory, CONFIG, given.threads)
    if not trained:
        own.train(recipe.MIN_STEPS)
    corpus = write_pieces(directory / "pieces", load_translator(own.checkpoint, device="cpu").source_tokenizer)
    peers = [PEERS[name](directory) for name in given.peer]
    for peer in peers:
        peer.prepare(corpus, given.threads)
    return Contest(own, peers, corpus)
