"""Matrix products by whatever multiplies fastest on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEAST_MULTIPLICATIONS = 2**20
"""What is smaller takes less time than the way to oneDNN."""


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``inputs @ weight.t() + bias``, without a gradient.

    torch multiplies float32 matrices on an x86 CPU by MKL, and takes oneDNN for convolutions and recurrent layers. On
    AMD's processors MKL leaves AVX-512 aside: oneDNN takes half of its time for large matrices, and a third for a
    handful of rows. The operation is the one that torch's own compiler emits for a linear layer. Results differ by
    rounding. ``torch.backends.mkldnn.enabled = False`` turns it off.

    Args:
        inputs: ``(rows, in)``.
        weight: ``(out, in)``; both may be parts of others, or transposed, but then a part is not multiplied faster.
        bias: ``(out,)``; None for none.

    Returns:
        ``(rows, out)``, contiguous.
    """
    if is_for_onednn(inputs, weight):
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return functional.linear(inputs, weight, bias)


def weight_gradient(gradients: Tensor, inputs: Tensor) -> Tensor:
    """``gradients.t() @ inputs``, the gradient of a linear layer's weight.

    Args:
        gradients: ``(rows, out)``, of the layer's outputs.
        inputs: ``(rows, in)``.

    Returns:
        ``(out, in)``, contiguous.
    """
    if not is_for_onednn(gradients.t(), inputs.t()):
        return gradients.t() @ inputs
    if len(inputs) < inputs.shape[1]:  # what is copied is the smaller one of the gradients and the result
        return product(gradients.t(), inputs.t())
    return product(inputs.t(), gradients.t()).t().contiguous()


def is_for_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a product of ``(rows, in)`` and ``(out, in)`` is faster by oneDNN.

    It is where the product is large, and the weight no part of a wider matrix, which oneDNN has no kernel for.
    """
    return (
        inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == weight.device.type == "cpu"
        and inputs.numel() * len(weight) >= LEAST_MULTIPLICATIONS
        and bool(torch.backends.mkldnn.enabled)
        and torch.backends.mkldnn.is_available()
        and (weight.is_contiguous() or weight.t().is_contiguous())
    )
