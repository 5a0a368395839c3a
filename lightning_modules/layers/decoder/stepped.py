"""Decoders whose recurrence waits for the attention."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from lightning_modules.kernels.deferred_gradients import GatheredGradients
from lightning_modules.layers.decoder.decoder import RecurrentDecoder
from lightning_modules.layers.recurrent import RecurrentStack, State
from lightning_modules.layers.state import Memory, RecurrentState, expand_rows


class SteppedDecoder(RecurrentDecoder):
    """A decoder whose recurrence needs what was attended to, and so runs a loop over the target.

    What does not depend on the recurrence, the projection of the embeddings, is made before the loop.
    """

    stack: RecurrentStack
    input_feeding: bool

    def initial_state(self, recurrent: State) -> RecurrentState:
        """The state before the first step; zeros are fed at first."""
        feed = recurrent[0].new_zeros(recurrent[0].shape[1], self.output_size) if self.input_feeding else None
        return RecurrentState(recurrent, feed, (self.stack.sample_weights(),))

    def forward(self, embedded: Tensor, memory: Memory, state: RecurrentState) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs over a whole target; see :meth:`Decoder.forward`."""
        outputs, weights = [], []
        projections = self.stack.project(embedded, *state.weights)
        with GatheredGradients():
            for token, projected in zip(embedded.unbind(1), projections.unbind(1), strict=True):
                output, weight, state = self._advance(token, projected, memory, state)
                outputs.append(output)
                weights.append(weight)
        return torch.stack(outputs, dim=1), torch.stack(weights, dim=2), state

    def step(
        self, embedded: Tensor, memory: Memory, state: RecurrentState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Runs one step; see :meth:`Decoder.step`."""
        projected = self.stack.project(embedded, *state.weights)
        return self._advance(expand_rows(rows, embedded), expand_rows(rows, projected), memory, state)

    @abstractmethod
    def _advance(
        self, embedded: Tensor, projected: Tensor, memory: Memory, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """One step, given the embedding ``(b, e)`` and the recurrent stack's projection of it."""
