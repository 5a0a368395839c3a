"""How parameters begin: each from (seed, its name), so that two models begin equal wherever they share a parameter."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lightning_modules.layers.embedding import TokenEmbedding
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM


def initialise(module: nn.Module, seed: int) -> None:
    """Sets every parameter of a module, each with a generator of its own, seeded by the seed and the parameter's name.

    Matrices are uniform after Glorot and Bengio (2010), recurrent ones orthogonal for each gate (Saxe et al. 2014),
    embeddings normal with standard deviation ``size ** -0.5``, biases 0, the forget gate's bias of an LSTM 1
    (Jozefowicz et al. 2015), and the scale of a layer norm 1 (Ba et al. 2016).

    Args:
        module: The module, its parameters made.
        seed: The experiment's seed.
    """
    embeddings = {id(child.weight) for child in module.modules() if isinstance(child, TokenEmbedding)}
    scales = {id(child.weight) for child in module.modules() if isinstance(child, nn.LayerNorm)}
    lstms = {
        f"{name}.{bias}" if name else bias
        for name, child in module.named_modules()
        if isinstance(child, nn.LSTM | LayerNormLSTM)
        for bias, _ in child.named_parameters()
        if bias.startswith("bias_ih") or (bias.startswith("norm_ih") and bias.endswith("bias"))
    }
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            generator = torch.Generator().manual_seed(_seed_of(seed, name))
            value = torch.empty(parameter.shape, dtype=parameter.dtype)
            if id(parameter) in embeddings:
                value.normal_(0.0, parameter.shape[1] ** -0.5, generator=generator)
            elif id(parameter) in scales:
                value.fill_(1.0)
            elif parameter.dim() < 2:
                value.zero_()
                if name in lstms:
                    value.chunk(4)[1].fill_(1.0)
            elif "weight_hh" in name:
                with _one_thread():
                    for gate in value.split(parameter.shape[1]):
                        nn.init.orthogonal_(gate, generator=generator)
            else:
                bound = math.sqrt(6.0 / sum(parameter.shape))
                value.uniform_(-bound, bound, generator=generator)
            parameter.copy_(value)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Runs with one thread: the last bits of a factorisation depend on their number, and a seed has one beginning."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _seed_of(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little") >> 1
