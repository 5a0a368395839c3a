"""Other toolkits that train the same model, to be measured beside seqlab."""

from experiments.benchmarks.peers.corpus import PeerCorpus
from experiments.benchmarks.peers.joeynmt import JoeyNMT
from experiments.benchmarks.peers.marian import Marian
from experiments.benchmarks.peers.opennmt import OpenNMT
from experiments.benchmarks.peers.peer import Peer
from experiments.benchmarks.peers.speed import TrainingSpeed, Translation
from experiments.benchmarks.peers.yoyodyne import Yoyodyne

PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in (OpenNMT, JoeyNMT, Yoyodyne, Marian)}
"""Each peer by its name."""

__all__ = ["PEERS", "JoeyNMT", "Marian", "OpenNMT", "Peer", "PeerCorpus", "TrainingSpeed", "Translation", "Yoyodyne"]
