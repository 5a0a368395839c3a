"""Models so small that everything that they can say is counted up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from datamodules.batch import EOS, UNK, Padded, SequenceBatch
from lightning_modules.layers.decoder import Decoder, LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.heads import VocabularyHead
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.token_encoder_decoder import HeadFactory, TokenEncoderDecoder

LIVE, VOCABULARY, LONGEST = 6, 160, 3
"""The ids that have a probability, out of a vocabulary as wide as a beam that holds every hypothesis."""

GIVEN = [[4, 5, 4], [5]]
"""Two sources."""

TRANSFORMER = partial(TransformerDecoder, heads=1, feedforward_size=8, layers=2)
"""One that takes any hidden_size, with two heads in all."""


def tiny_model(
    seed: int,
    decoder: Callable[..., Decoder] = LuongDecoder,
    hidden_size: int = 5,
    sharpness: float = 3.0,
    head: HeadFactory = VocabularyHead,
) -> TokenEncoderDecoder:
    """A random model over six ids, its distributions sharp enough to differ; of 40, nearly sure at most steps."""
    torch.manual_seed(seed)
    model = TokenEncoderDecoder(
        VOCABULARY,
        VOCABULARY,
        encoder=lambda size: RecurrentEncoder(size, hidden_size=4),
        decoder=lambda embedding, memory: decoder(embedding, memory, hidden_size=hidden_size),
        head=head,
        embedding_size=3,
    ).double()
    with torch.no_grad():
        model.output.weight.mul_(sharpness)
        model.output.bias.normal_()
        model.output.bias[LIVE:] = -torch.inf
    return model.eval()


def sources(*sequences: list[int]) -> Padded:
    return Padded.from_sequences([[*sequence, EOS] for sequence in sequences])


@dataclass(frozen=True)
class Sayable:
    """A target that a model can say.

    Attributes:
        ids: Without BOS and EOS.
        tokens: The log-probability of each token and EOS.
        attention: ``(len(ids) + 1, source_len)``, heads averaged.
    """

    ids: tuple[int, ...]
    tokens: list[float]
    attention: Tensor

    @property
    def log_probability(self) -> float:
        return sum(self.tokens)


@torch.no_grad()
def everything(model: TokenEncoderDecoder, source: list[int], longest: int = LONGEST) -> list[Sayable]:
    """All targets of up to ``longest`` tokens, under teacher forcing."""
    live = [token for token in range(LIVE) if token != EOS]
    targets = [ids for length in range(longest + 1) for ids in itertools.product(live, repeat=length)]
    batch = SequenceBatch.from_pairs([source] * len(targets), targets, torch.zeros(len(targets)))
    hidden, weights = model(batch)
    output = batch.target_output
    scores = model.output.scores(hidden, model.attended(batch, weights)).log_softmax(-1)
    chosen = scores.gather(1, output.values[output.mask][:, None]).squeeze(1)
    tokens = [part.tolist() for part in chosen.split(output.lengths.tolist())]
    attention = weights.mean(dim=1) if weights.shape[1] else weights.new_zeros(len(targets), longest + 1, 0)
    return [
        Sayable(ids, found, attended[: len(ids) + 1])
        for ids, found, attended in zip(targets, tokens, attention, strict=True)
    ]


def known(sayable: Iterable[Sayable]) -> list[Sayable]:
    """Those without the unknown token, which a search says only where it may."""
    return [each for each in sayable if UNK not in each.ids]


def repeats(ids: tuple[int, ...], size: int) -> bool:
    """Whether a sequence of ``size`` ids comes twice."""
    ngrams = [ids[start : start + size] for start in range(len(ids) - size + 1)]
    return len(set(ngrams)) < len(ngrams)


def rank(sayable: Sayable, length_penalty: float = 0.0, coverage_penalty: float = 0.0) -> float:
    """What beam search ranks by (Wu et al. 2016, equation 14), position by position."""
    score = sayable.log_probability / ((5 + len(sayable.tokens)) / 6) ** length_penalty
    if coverage_penalty:
        attended = sayable.attention.sum(dim=0).tolist()
        score += coverage_penalty * sum(math.log(min(each, 1.0)) for each in attended)
    return score
