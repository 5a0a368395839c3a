"""What processes agree on before they are a process group: under torchrun each of them starts on its own."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch.distributed
from lightning.fabric.plugins.environments import TorchElasticEnvironment


def started_by_torchrun() -> bool:
    """Whether torchrun started this process, and each other one beside it."""
    return TorchElasticEnvironment.detect()


def rank_zero_decides(subject: str, decide: Callable[[], str]) -> str:
    """What rank zero decides, on every process that torchrun started.

    The word goes through the store in which torchrun's processes find each other. Rank zero waits until all have read:
    it is the one that keeps the store, where torchrun itself does not.

    Args:
        subject: What is decided, a name that is used once.
        decide: Called on rank zero alone. Where it raises, torchrun ends the others.
    """
    store, rank, world_size = next(torch.distributed.rendezvous("env://"))
    # torchrun may start all processes once more, with the same store.
    key = f"seqlab/{subject}/{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    if rank == 0:
        decision = decide()
        store.set(key, decision)
        store.wait([f"{key}/{other}" for other in range(1, world_size)])
        return decision
    decision = store.get(key).decode()
    store.set(f"{key}/{rank}", "read")
    return decision
