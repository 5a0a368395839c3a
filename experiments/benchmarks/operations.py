"""How many floating-point operations a recurrent classifier takes, by formula."""

from __future__ import annotations

from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.recurrent import Cell

GATES: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""Vectors that a cell makes of its input and its last state."""

COMBINING: dict[Cell, int] = {"rnn": 0, "gru": 5, "lstm": 5}
"""Operations for each unit that make the next state of them."""


def product_operations(encoder: RecurrentEncoder, length: int) -> int:
    """The operations in the encoder's matrix products, the most of what it does.

    A product of a matrix of ``(gates * hidden, input)`` with a vector takes a multiplication and an addition for each
    element, and a cell has one for its input and one for its last state.

    Args:
        encoder: The encoder.
        length: Of the sequence.
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
        length: Of the sequence.
    """
    encoder = model.encoder
    assert isinstance(encoder, RecurrentEncoder)
    hidden = encoder.rnn.hidden_size
    for_a_unit = 4 * GATES[encoder.cell] + COMBINING[encoder.cell]
    elementwise = encoder.directions * encoder.rnn.num_layers * length * hidden * for_a_unit
    output = 2 * model.output.in_features * model.output.out_features + model.output.out_features
    return product_operations(encoder, length) + elementwise + output
