"""The decoder that sees nothing of the source but the state that it begins from."""

from __future__ import annotations

from lightning_modules.layers.attention import NoAttention
from lightning_modules.layers.decoder.luong import LuongDecoder
from lightning_modules.layers.recurrent import Cell


class FixedContextDecoder(LuongDecoder):
    """A recurrent decoder over a fixed context (Sutskever et al. 2014): ``h_t = RNN(y_t)``, ``o_t = tanh(W h_t)``.

    It is a :class:`LuongDecoder` with :class:`NoAttention` and without input feeding, and compares with one that has an
    attention: their parameters have the same names. A whole target is one fused RNN call.

    Args:
        embedding_size: Width of the embedded target; the model gives it.
        memory_size: Width of the memory, which is not looked at; the model gives it.
        cell: Kind of recurrent cell.
        hidden_size: Width of each recurrent layer.
        layers: Number of recurrent layers.
        output_size: Width of the output; hidden_size if not given.
        dropout: Dropout between layers, and on the output.
        recurrent_dropout: Share of the values of the hidden-to-hidden matrices that a training batch leaves out.

    Raises:
        UserError: A size or the number of layers is below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        embedding_size: int,
        memory_size: int,
        cell: Cell = "lstm",
        hidden_size: int = 512,
        layers: int = 1,
        output_size: int | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__(
            embedding_size,
            memory_size,
            attention=NoAttention,
            cell=cell,
            hidden_size=hidden_size,
            layers=layers,
            input_feeding=False,
            output_size=output_size,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
        )
