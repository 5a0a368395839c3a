"""How many floating-point operations a model takes, by formula."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datamodules.errors import UserError
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.attention import BahdanauAttention
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.recurrent import Cell
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4, "layer_norm_lstm": 4}
"""Vectors that a cell makes of its input and its last state."""

COMBINING: dict[Cell, int] = {"rnn": 0, "gru": 5, "lstm": 5, "layer_norm_lstm": 77}
"""Operations for each unit that make the next state of them; a normalisation takes 8 for each value, and has 9 here."""


def product_operations(encoder: RecurrentEncoder, length: int) -> int:
    """The operations in the encoder's matrix products, the most of what it does.

    A product of a matrix of ``(gates * hidden, input)`` with a vector takes a multiplication and an addition for each
    element, and a cell has one for its input and one for its last state.

    Args:
        encoder: The encoder.
        length: Length of the sequence, in steps.
    """
    gates, hidden = GATES[encoder.cell], encoder.rnn.hidden_size
    layer_inputs = [encoder.rnn.input_size, *[encoder.memory_size] * (encoder.rnn.num_layers - 1)]
    in_a_step = sum(2 * gates * hidden * (inputs + hidden) for inputs in layer_inputs)
    return encoder.directions * length * in_a_step


def classifier_operations(model: BiRNNClassifier, length: int) -> int:
    """The operations of the encoder and the output layer for one sequence.

    Beside the matrix products, for each unit and gate: two biases, the sum of the two products, and the non-linearity,
    which counts as one; and what makes the next state: of an LSTM ``f * c + i * g`` and ``o * tanh(c)``, of a GRU
    ``r * n``, and ``(1 - z) * n + z * h``. What the pooling does is left out.

    Args:
        model: The classifier; its encoder is recurrent.
        length: Length of the sequence, in steps.
    """
    encoder = model.encoder
    assert isinstance(encoder, RecurrentEncoder)
    hidden = encoder.rnn.hidden_size
    for_a_unit = 4 * GATES[encoder.cell] + COMBINING[encoder.cell]
    elementwise = encoder.directions * encoder.rnn.num_layers * length * hidden * for_a_unit
    output = 2 * model.output.in_features * model.output.out_features + model.output.out_features
    return product_operations(encoder, length) + elementwise + output


@dataclass(frozen=True)
class Product:
    """A matrix product of a model's forward pass, ``(rows, inputs) x (inputs, outputs)``.

    Attributes:
        name: What makes it.
        per: What it has a row for.
        inputs: Width of what goes in.
        outputs: Width of what comes out.
    """

    name: str
    per: Literal["source token", "target token", "pair of tokens", "sentence"]
    inputs: int
    outputs: int


@dataclass(frozen=True)
class BatchCounts:
    """What a batch has of real tokens, EOS included and padding not.

    Attributes:
        sentences: Their number.
        source_tokens: Number of source tokens of all sentences.
        target_tokens: Number of target tokens of all sentences.
        token_pairs: Pairs of a source token and a target token of one sentence, which attention scores.
    """

    sentences: int
    source_tokens: int
    target_tokens: int
    token_pairs: int

    def of(self, per: str) -> int:
        """Rows of a product."""
        return {
            "source token": self.source_tokens,
            "target token": self.target_tokens,
            "pair of tokens": self.token_pairs,
            "sentence": self.sentences,
        }[per]


def translation_products(model: TokenEncoderDecoder) -> list[Product]:
    """The matrix products of a forward pass under teacher forcing, without those that padding would take.

    Args:
        model: A recurrent encoder, a projecting bridge, and a :class:`LuongDecoder` of one layer with additive
            attention.

    Raises:
        UserError: The model is another.
    """
    encoder, decoder, bridge = model.encoder, model.decoder, model.bridge
    attention = decoder.attentions[0]
    if not (
        isinstance(encoder, RecurrentEncoder)
        and isinstance(decoder, LuongDecoder)
        and isinstance(bridge, ProjectionBridge)
        and isinstance(attention, BahdanauAttention)
        and decoder.state_shape.layers == 1
    ):
        raise UserError(
            "there is a formula for RecurrentEncoder, ProjectionBridge and a LuongDecoder of one layer with "
            "BahdanauAttention only"
        )
    gates, hidden = GATES[encoder.cell], encoder.rnn.hidden_size
    layer_inputs = [encoder.rnn.input_size, *[encoder.memory_size] * (encoder.rnn.num_layers - 1)]
    found = []
    for inputs in layer_inputs * encoder.directions:
        found.append(Product("encoder, input", "source token", inputs, gates * hidden))
        found.append(Product("encoder, state", "source token", hidden, gates * hidden))
    parts, _, size = decoder.state_shape
    found += [Product("bridge", "sentence", encoder.memory_size, size)] * parts
    rnn, energy = decoder.stack.rnn, attention.energy.in_features
    found += [
        Product("attention, keys", "source token", encoder.memory_size, energy),
        Product("decoder, input", "target token", rnn.input_size, GATES[decoder.stack.cell] * size),
        Product("decoder, state", "target token", size, GATES[decoder.stack.cell] * size),
        Product("attention, query", "target token", size, energy),
        Product("attention, scores", "pair of tokens", energy, 1),
        Product("attention, context", "pair of tokens", 1, encoder.memory_size),
        Product("output of the decoder", "target token", decoder.combine.in_features, decoder.output_size),
        Product("vocabulary", "target token", model.output.in_features, model.output.out_features),
    ]
    return found


def forward_operations(products: Iterable[Product], counts: BatchCounts) -> int:
    """Multiplications and additions of a forward pass; a training step has three times as many.

    Args:
        products: The matrix products of the model.
        counts: What the batch has.
    """
    return sum(2 * counts.of(each.per) * each.inputs * each.outputs for each in products)
