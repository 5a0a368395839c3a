"""Models with random weights, of every part that is shipped, to be exported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch

from datamodules.batch import EOS
from lightning_modules.layers import attention as attentions
from lightning_modules.layers.bridge import CopyBridge, LearnedBridge, ZeroBridge
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import BahdanauDecoder, FixedContextDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.encoder import (
    BagOfWordsEncoder,
    EncoderWithEmbeddings,
    EncoderWithFeatures,
    RecurrentEncoder,
    StepwiseEncoder,
)
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.layers.transformer.positions import RotaryPositions
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.nmt import AttentionNMT
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

VOCABULARY = 17
HIDDEN = 8

_luong = partial(LuongDecoder, hidden_size=HIDDEN)
_encoder = partial(RecurrentEncoder, hidden_size=HIDDEN // 2)
_transformer_encoder = partial(TransformerEncoder, hidden_size=HIDDEN, heads=2, feedforward_size=12, layers=2)
_transformer_decoder = partial(TransformerDecoder, hidden_size=HIDDEN, heads=2, feedforward_size=12, layers=2)

PARTS: dict[str, Callable[..., TokenEncoderDecoder]] = {
    "lstm": partial(AttentionNMT, encoder=_encoder, decoder=_luong),
    "gru_two_layers": partial(
        AttentionNMT, encoder=partial(_encoder, cell="gru", layers=2), decoder=partial(_luong, cell="gru", layers=2)
    ),
    "rnn_forward": partial(
        AttentionNMT,
        encoder=partial(RecurrentEncoder, hidden_size=HIDDEN, cell="rnn", bidirectional=False, layers=2),
        decoder=partial(_luong, cell="rnn", input_feeding=False),
        bridge=CopyBridge,
    ),
    "layer_norm_decoder": partial(AttentionNMT, encoder=_encoder, decoder=partial(_luong, cell="layer_norm_lstm")),
    "layer_norm_encoder": partial(AttentionNMT, encoder=partial(_encoder, cell="layer_norm_lstm"), decoder=_luong),
    "fixed_context": partial(
        AttentionNMT,
        encoder=partial(_encoder, layers=2),
        decoder=partial(FixedContextDecoder, hidden_size=HIDDEN, layers=2),
    ),
    "bahdanau": partial(
        AttentionNMT,
        encoder=partial(_encoder, cell="gru"),
        decoder=partial(BahdanauDecoder, hidden_size=HIDDEN),
        bridge=ZeroBridge,
    ),
    "bahdanau_feeding": partial(
        AttentionNMT,
        encoder=_encoder,
        decoder=partial(BahdanauDecoder, hidden_size=HIDDEN, input_feeding=True, cell="lstm"),
        bridge=LearnedBridge,
    ),
    "multi_step": partial(
        AttentionNMT,
        encoder=partial(EncoderWithEmbeddings, encoder=_encoder),
        decoder=partial(MultiStepDecoder, hidden_size=HIDDEN),
    ),
    "bag_of_words": partial(AttentionNMT, encoder=BagOfWordsEncoder, decoder=_luong),
    "stepwise": partial(AttentionNMT, encoder=partial(StepwiseEncoder, hidden_size=HIDDEN // 2), decoder=_luong),
    "features": partial(
        AttentionNMT,
        encoder=partial(EncoderWithFeatures, encoder=_encoder),
        decoder=_luong,
        feature_vocabulary_size=5,
    ),
    "copying": partial(AttentionNMT, encoder=_encoder, decoder=_luong, head=CopyVocabularyHead),
    "monotonic": partial(
        MonotonicTransducer, encoder=_encoder, decoder=partial(FixedContextDecoder, hidden_size=HIDDEN)
    ),
    "hard_order_0": partial(
        MonotonicTransducer,
        encoder=_encoder,
        decoder=partial(FixedContextDecoder, hidden_size=HIDDEN),
        attention=attentions.DotAttention,
        order=0,
    ),
    "transformer": partial(AttentionNMT, encoder=_transformer_encoder, decoder=_transformer_decoder, tied="all"),
    "rotary": partial(
        AttentionNMT,
        encoder=partial(_transformer_encoder, positions=RotaryPositions),
        decoder=partial(_transformer_decoder, positions=RotaryPositions),
    ),
    "transformer_copying": partial(
        AttentionNMT, encoder=_transformer_encoder, decoder=_transformer_decoder, head=CopyVocabularyHead
    ),
    **{
        name: partial(AttentionNMT, encoder=_encoder, decoder=partial(_luong, attention=getattr(attentions, name)))
        for name in attentions.__all__
        if name not in ("Attention", "AttentionFactory", "StatefulAttention")
    },
    "coverage_with_fertility": partial(
        AttentionNMT,
        encoder=_encoder,
        decoder=partial(_luong, attention=partial(attentions.CoverageAttention, fertility=2.0)),
    ),
}
"""A model of each part."""


def model_of(name: str, seed: int) -> TokenEncoderDecoder:
    """One of :data:`PARTS`, with weights that write hypotheses of several tokens."""
    torch.manual_seed(seed)
    model = PARTS[name](VOCABULARY, VOCABULARY, embedding_size=HIDDEN).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator) * 0.4)
        model.output.bias[EOS] -= 2.0
    return model


FormatName = Literal["onnx", "torchscript"]
