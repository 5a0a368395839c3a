"""A training step of the benchmarks' model on random tokens: what it takes for given lengths and feedings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch

from datamodules.batch import BOS, EOS, UNK, Padded, SequenceBatch
from experiments.benchmarks.peers import recipe
from lightning_modules.forcing import Forcing
from lightning_modules.layers.attention import BahdanauAttention
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.nmt import AttentionNMT

VOCABULARY_SIZE = 8000
FORCING_RATIO = 0.5
WARM_UP_STEPS = 2


@dataclass(frozen=True)
class Lengths:
    """The size of a batch, in which all sentences are equally long.

    Attributes:
        source: Tokens of a source, EOS included.
        target: Tokens of a target, EOS included.
        sentences: Their number.
    """

    source: int
    target: int
    sentences: int = recipe.BATCH_SIZE


def recipe_model(
    device: torch.device, forcing: Forcing | None = None, vocabulary_size: int = VOCABULARY_SIZE
) -> AttentionNMT:
    """The model of :mod:`experiments.benchmarks.peers.recipe`, in training mode.

    Args:
        device: Where to.
        forcing: What the decoder is fed; None for gold tokens.
        vocabulary_size: Ids of the source, and of the target.
    """
    encoder = partial(RecurrentEncoder, cell="lstm", hidden_size=recipe.DIRECTION_SIZE, dropout=recipe.DROPOUT)
    decoder = partial(
        LuongDecoder,
        attention=BahdanauAttention,
        cell="lstm",
        hidden_size=recipe.HIDDEN_SIZE,
        input_feeding=True,
        dropout=recipe.DROPOUT,
    )
    model = AttentionNMT(
        vocabulary_size,
        vocabulary_size,
        encoder=encoder,
        decoder=decoder,
        embedding_size=recipe.EMBEDDING_SIZE,
        dropout=recipe.DROPOUT,
        label_smoothing=recipe.LABEL_SMOOTHING,
        forcing=forcing,
    )
    return model.to(device).train()


def random_batch(lengths: Lengths, device: torch.device) -> SequenceBatch:
    """A batch of random tokens.

    Args:
        lengths: Its size.
        device: Where to.
    """
    generator = torch.Generator().manual_seed(recipe.SEED)

    def tokens(length: int) -> torch.Tensor:
        return torch.randint(UNK + 1, VOCABULARY_SIZE, (lengths.sentences, length), generator=generator)

    sources, targets = tokens(lengths.source), tokens(lengths.target + 1)
    sources[:, -1], targets[:, 0], targets[:, -1] = EOS, BOS, EOS
    source, target = (Padded(each, torch.full((lengths.sentences,), each.shape[1])) for each in (sources, targets))
    return SequenceBatch(source, target, torch.arange(lengths.sentences)).to(device)


def step_milliseconds(model: AttentionNMT, batch: SequenceBatch, repeats: int) -> float:
    """The median time of the forward and the backward pass, without the optimizer.

    Args:
        model: In training mode.
        batch: On its device.
        repeats: Steps that are measured, after some that are not.
    """
    ratio = 1.0 if model.forcing is None else FORCING_RATIO
    times = []
    for _ in range(WARM_UP_STEPS + repeats):
        begun = time.perf_counter()
        model.loss(batch, ratio)[0].backward()
        if batch.source.values.is_cuda:
            torch.cuda.synchronize(batch.source.values.device)
        times.append(1000 * (time.perf_counter() - begun))
        model.zero_grad()
    return median(times[WARM_UP_STEPS:])
