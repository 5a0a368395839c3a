"""A number out of range is refused by the part that a config gives it to, in words for a person."""

from collections.abc import Callable

import pytest
from torch import nn

from datamodules.errors import UserError
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.attention import BahdanauAttention, MultiHeadAttention
from lightning_modules.layers.decoder import BahdanauDecoder, FixedContextDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.embedding import TokenEmbedding
from lightning_modules.layers.encoder import RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.pooling import AttentionPooling
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.nmt import AttentionNMT
from lightning_modules.seq2seq import Seq2Seq
from lightning_modules.vector_seq2seq import VectorSeq2Seq

Part = Callable[..., nn.Module]

ENCODERS: list[Part] = [RecurrentEncoder, StepwiseEncoder]
DECODERS: list[Part] = [LuongDecoder, BahdanauDecoder, MultiStepDecoder, FixedContextDecoder]
TRANSFORMERS: list[tuple[Part, int]] = [(TransformerEncoder, 1), (TransformerDecoder, 2)]
TRANSLATORS: list[Part] = [AttentionNMT, Seq2Seq]
SIZES: list[tuple[Part, int, list[str]]] = [
    *((part, 1, ["hidden_size", "layers"]) for part in ENCODERS),
    *((part, 2, ["hidden_size", "layers", "output_size"]) for part in DECODERS),
    *((part, widths, ["hidden_size", "heads", "feedforward_size", "layers"]) for part, widths in TRANSFORMERS),
    *((part, 2, ["attention_size"]) for part in (BahdanauAttention, MultiHeadAttention, AttentionPooling)),
    *((part, 2, ["embedding_size"]) for part in (*TRANSLATORS, VectorSeq2Seq)),
    (TokenEmbedding, 1, ["size"]),
]
SHARES: list[tuple[Part, int, list[str]]] = [
    *((part, 1, ["dropout", "recurrent_dropout"]) for part in ENCODERS),
    *((part, 2, ["dropout", "recurrent_dropout"]) for part in DECODERS),
    *((part, widths, ["dropout", "attention_dropout"]) for part, widths in TRANSFORMERS),
    (BiRNNClassifier, 2, ["dropout"]),
    *((part, 2, ["dropout", "token_dropout", "label_smoothing"]) for part in TRANSLATORS),
    (TokenEmbedding, 2, ["dropout", "token_dropout"]),
]
"""Parts, how many widths or vocabulary sizes they are made of, and the names of what a config gives."""


def named(parts: list[tuple[Part, int, list[str]]]) -> pytest.MarkDecorator:
    cases = [(part, widths, name) for part, widths, names in parts for name in names]
    return pytest.mark.parametrize(("part", "widths", "name"), cases)


@named(SIZES)
@pytest.mark.parametrize("value", [0, -3])
def test_a_size_is_at_least_1(part: type[nn.Module], widths: int, name: str, value: int) -> None:
    with pytest.raises(UserError, match=rf"^{name} of {part.__name__} is {value}: give at least 1$"):
        part(*[8] * widths, **{name: value})


@named(SHARES)
@pytest.mark.parametrize("value", [-1, 1.0, 2, float("nan")])
def test_a_share_is_below_1(part: type[nn.Module], widths: int, name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"^{name} of {part.__name__} is {value}: give 0 or more, and less than 1$"):
        part(*[8] * widths, **{name: value})


@pytest.mark.parametrize("part", DECODERS)
def test_the_bounds_themselves_and_none_are_in_range(part: type[nn.Module]) -> None:
    assert part(1, 1, hidden_size=1, layers=1, output_size=None, dropout=0.0).output_size == 1
