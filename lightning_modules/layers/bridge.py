"""Bridges: the encoder's final state to the decoder's initial state."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import StateShape


class Bridge(nn.Module, ABC):
    """What every bridge offers."""

    @abstractmethod
    def forward(self, state: State) -> State:
        """Turns a final encoder state into an initial decoder state.

        Args:
            state: Each part ``(encoder_layers, batch, encoder_size)``, the directions joined.

        Returns:
            Each part ``(decoder_layers, batch, decoder_size)``.
        """


def _source_layer(layer: int, encoder: StateShape, decoder: StateShape) -> int:
    """The encoder layer that a decoder layer begins from: its like where both have as many, else the topmost."""
    return layer if encoder.layers == decoder.layers else encoder.layers - 1


class ProjectionBridge(Bridge):
    """A linear map for each part and each layer, with tanh for h (Bahdanau et al. 2015, appendix A.2.2).

    A decoder layer begins from the encoder layer of the same number where both have as many layers, else from the
    topmost. Where the encoder has no cell state (GRU, RNN) and the decoder does, it is made from h.

    Args:
        encoder: Shape of the encoder's state; the model gives it.
        decoder: Shape of the decoder's state; the model gives it.
    """

    def __init__(self, encoder: StateShape, decoder: StateShape) -> None:
        super().__init__()
        self.encoder_shape = encoder
        self.decoder_shape = decoder
        self.projections = nn.ModuleList(
            nn.ModuleList(Linear(encoder.size, decoder.size) for _ in range(decoder.layers))
            for _ in range(decoder.parts)
        )

    def forward(self, state: State) -> State:
        """Projects a state; see :meth:`Bridge.forward`."""
        return tuple(self._project(part, state) for part in range(self.decoder_shape.parts))

    def _project(self, part: int, state: State) -> Tensor:
        source = state[min(part, len(state) - 1)]
        encoder, decoder = self.encoder_shape, self.decoder_shape
        projections = self.projections[part].children()
        layers = [projection(source[_source_layer(n, encoder, decoder)]) for n, projection in enumerate(projections)]
        joined = torch.stack(layers)
        return joined.tanh() if part == 0 else joined


class CopyBridge(Bridge):
    """The state itself (Sutskever et al. 2014): no parameters, so the shapes have to agree.

    Args:
        encoder: Shape of the encoder's state; the model gives it.
        decoder: Shape of the decoder's state; the model gives it.

    Raises:
        UserError: Widths or kinds of state differ.
    """

    def __init__(self, encoder: StateShape, decoder: StateShape) -> None:
        super().__init__()
        if encoder.size != decoder.size or encoder.parts != decoder.parts:
            raise UserError(
                f"CopyBridge needs states of one kind and width: the encoder's has {encoder.parts} part(s) of width "
                f"{encoder.size} (directions together), the decoder's {decoder.parts} of {decoder.size}: change a "
                "hidden_size or cell, or take ProjectionBridge"
            )
        self.encoder_shape = encoder
        self.decoder_shape = decoder

    def forward(self, state: State) -> State:
        """Copies a state; see :meth:`Bridge.forward`."""
        encoder, decoder = self.encoder_shape, self.decoder_shape
        layers = [_source_layer(layer, encoder, decoder) for layer in range(decoder.layers)]
        return tuple(part[layers] for part in state)


class ZeroBridge(Bridge):
    """Zeros: what the decoder knows of the source comes through attention alone.

    Args:
        encoder: Shape of the encoder's state; the model gives it.
        decoder: Shape of the decoder's state; the model gives it.
    """

    def __init__(self, encoder: StateShape, decoder: StateShape) -> None:
        super().__init__()
        self.decoder_shape = decoder

    def forward(self, state: State) -> State:
        """Zeros of the decoder's shape; see :meth:`Bridge.forward`."""
        parts, layers, size = self.decoder_shape
        return tuple(state[0].new_zeros(layers, state[0].shape[1], size) for _ in range(parts))


class LearnedBridge(Bridge):
    """One learned state, from which every sentence begins: of the source it says as little as zeros do.

    A vector for each layer and part, trained with the other weights, in place of the zeros that an RNN begins from
    where nothing else is said.

    Args:
        encoder: Shape of the encoder's state; the model gives it.
        decoder: Shape of the decoder's state; the model gives it.
    """

    def __init__(self, encoder: StateShape, decoder: StateShape) -> None:
        super().__init__()
        parts, layers, size = decoder
        self.initial = nn.ParameterList(torch.zeros(layers, size) for _ in range(parts))

    def forward(self, state: State) -> State:
        """The learned state for each sentence; see :meth:`Bridge.forward`."""
        batch = state[0].shape[1]
        return tuple(part[:, None].expand(-1, batch, -1).contiguous() for part in self.initial)
