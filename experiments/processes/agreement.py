"""What processes agree on before they are a process group: under torchrun each of them starts on its own."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable

import torch.distributed
from lightning.fabric.plugins.environments import TorchElasticEnvironment

_AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"
_POLL = 0.02
"""Seconds between two looks into the store."""


def started_by_torchrun() -> bool:
    """Whether torchrun started this process, and each other one beside it."""
    return TorchElasticEnvironment.detect()


def rank_zero_decides(subject: str, decide: Callable[[], str]) -> str:
    """What rank zero decides, on every process that torchrun started.

    The word goes through the store in which torchrun's processes find each other. torchrun may start all of them once
    more with the same store, in which the questions and answers of those before still are: each process asks with a
    word that nobody has used. Rank zero waits until all that live have read the answer: it is the one that keeps the
    store, where torchrun itself does not.

    Args:
        subject: What is decided.
        decide: Called on rank zero alone. Where it raises, torchrun ends the others.
    """
    store, rank, world_size = next(torch.distributed.rendezvous("env://"))
    if rank != 0:
        own = f"seqlab/{subject}/{secrets.token_hex(8)}"
        store.set(f"seqlab/{subject}/of rank {rank}", own)
        answer: str = store.get(f"{own}/answer").decode()
        store.set(f"{own}/read", "")
        return answer
    decision, served = decide(), set[int]()
    asked = {other: f"seqlab/{subject}/of rank {other}" for other in range(1, world_size)}
    past = {store.get(key) for key in asked.values() if store.check([key])}
    past = {question for question in past if store.check([f"{question.decode()}/read"])}
    while len(served) < len(asked):
        for other, key in asked.items():
            if other in served or not store.check([key]) or (question := store.get(key)) in past:
                continue
            store.set(f"{question.decode()}/answer", decision)
            if store.check([f"{question.decode()}/read"]):
                served.add(other)
        time.sleep(_POLL)
    return decision


def leave_shared_store() -> None:
    """Lets torchrun's processes find each other in a store of their own, in which nothing is of processes before them.

    In the store that torchrun shares with them are still the addresses of those that it has started anew since: a
    process may wait for one of them forever (PyTorch's issue 135712).
    """
    if os.environ.get(_AGENT_STORE) == str(True):
        port = rank_zero_decides("port", _free_port)
        os.environ |= {"MASTER_PORT": port, _AGENT_STORE: str(False)}


def _free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("", 0))
        return str(listening.getsockname()[1])
