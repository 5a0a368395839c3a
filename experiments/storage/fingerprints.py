"""Short hashes by which two runs can be compared: how their parameters began, and in which order their data came."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from datamodules.plan import BatchPlan

DIGITS = 12
"""Hexadecimal digits of a hash."""


def parameter_fingerprints(module: nn.Module) -> dict[str, str]:
    """What each parameter of a module holds.

    Args:
        module: The module.

    Returns:
        By the parameter's name, its shape and a hash of its values: ``"96x192:0123456789ab"``.
    """
    return {name: f"{_shape(value)}:{_hash_of(value)}" for name, value in module.named_parameters()}


def order_fingerprint(loader: object) -> str | None:
    """Which examples form which batch in the first epoch, in which order, all processes together.

    Args:
        loader: Loader of the training data.

    Returns:
        A hash (hex); None where the loader follows no :class:`BatchPlan`.
    """
    plan = loader.sampler if isinstance(loader, DataLoader) else None
    if not isinstance(plan, BatchPlan):
        return None
    digest = hashlib.sha256()
    for batch in plan.batches(0):
        digest.update(len(batch).to_bytes(8, "little"))
        digest.update(np.asarray(batch, dtype="<i8").tobytes())
    return digest.hexdigest()[:DIGITS]


def _shape(value: torch.Tensor) -> str:
    return "x".join(map(str, value.shape))


def _hash_of(value: torch.Tensor) -> str:
    flat = value.detach().cpu().contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(flat.numpy().tobytes()).hexdigest()[:DIGITS]
