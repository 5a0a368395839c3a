"""The elementwise part of an LSTM step, as one operation with its gradient written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def lstm_gates(inputs: Tensor, recurrent: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """What an LSTM makes of its gates: ``c' = f * c + i * g`` and ``h' = o * tanh(c')``.

    With i, f and o the sigmoid of the sum of what is given, and g its tanh (Hochreiter and Schmidhuber 1997, with the
    forget gate of Gers et al. 2000).

    Args:
        inputs: The projected input, ``(batch, 4 * size)``, in the order i, f, g, o.
        recurrent: The projected hidden state, likewise.
        cell: c, ``(batch, size)``.

    Returns:
        h' and c', each ``(batch, size)``.
    """
    if torch.is_grad_enabled():
        return _LSTMGates.apply(inputs, recurrent, cell)
    return _next(inputs, recurrent, cell)[:2]


def _next(inputs: Tensor, recurrent: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The next h and c, each ``(batch, size)``, and what the backward pass needs beside the given c.

    Returns:
        h', c', the squashed gates ``(batch, 4 * size)``, and ``tanh(c')`` ``(batch, size)``.
    """
    size = cell.shape[-1]
    active = inputs + recurrent
    i, f, g, o = active.chunk(4, dim=-1)
    for sigmoid in (active[..., : 2 * size], o):
        sigmoid.sigmoid_()
    g.tanh_()
    following = torch.addcmul(f * cell, i, g)
    squashed = following.tanh()
    return o * squashed, following, active, squashed


class _LSTMGates(torch.autograd.Function):
    """Ten small kernels in place of thirty, and the gates' gradients in one tensor from the start."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recurrent: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        hidden, following, active, squashed = _next(inputs, recurrent, cell)
        ctx.save_for_backward(active, cell, squashed)
        return hidden, following

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor, grad_cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        active, cell, squashed = ctx.saved_tensors
        size = cell.shape[-1]
        i, f, g, o = active.chunk(4, dim=-1)
        grad_cell = grad_cell + torch.ops.aten.tanh_backward(grad_hidden * o, squashed)
        grad_gates = torch.empty_like(active)
        grad_i, grad_f, grad_g, grad_o = grad_gates.chunk(4, dim=-1)
        torch.mul(grad_cell, g, out=grad_i)
        torch.mul(grad_cell, cell, out=grad_f)
        torch.mul(grad_hidden, squashed, out=grad_o)
        grad_g.copy_(torch.ops.aten.tanh_backward(grad_cell * i, g))
        for gate, grad in ((active[..., : 2 * size], grad_gates[..., : 2 * size]), (o, grad_o)):
            torch.ops.aten.sigmoid_backward.grad_input(grad, gate, grad_input=grad)
        return grad_gates, grad_gates, grad_cell * f
