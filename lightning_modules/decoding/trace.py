"""A given target, step by step: what a model says at each, and what it attends to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from datamodules.batch import BOS, Padded
from lightning_modules.decoding.search import MemoryT, StateT, Steppable


@dataclass(frozen=True)
class Trace(Generic[MemoryT, StateT]):
    """A target of one source, token by token; t is its length with EOS.

    Attributes:
        memory: The encoded source.
        initial: The state before the first step.
        log_probabilities: ``(t, vocabulary)``, of the next token, given those before it.
        weights: ``(heads, t, source_len)``, the attention; padding of the source included.
        states: Of each step, the state after it.
    """

    memory: MemoryT
    initial: StateT
    log_probabilities: Tensor
    weights: Tensor
    states: tuple[StateT, ...]


@torch.inference_mode()
def trace(
    model: Steppable[MemoryT, StateT], source: Padded, ids: Sequence[int], ends: bool = True
) -> Trace[MemoryT, StateT]:
    """Steps through a target as a search does that is forced to write it.

    Args:
        model: In evaluation mode.
        source: ``(1, source_len)``, closed by EOS.
        ids: The target, without BOS and EOS.
        ends: Whether EOS follows, and what is said of it is asked for.
    """
    memory, initial = model.encode(source)
    state = initial
    found, weights, states = [], [], []
    for token in [BOS, *ids] if ends or not ids else [BOS, *ids[:-1]]:
        log_probabilities, attended, state = model.step(source.values.new_tensor([token]), memory, state)
        found.append(log_probabilities[0])
        weights.append(attended[0])
        states.append(state)
    return Trace(memory, initial, torch.stack(found), torch.stack(weights, dim=1), tuple(states))
