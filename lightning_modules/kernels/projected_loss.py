"""The loss of a vocabulary projection, without the logits ever being stored."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lightning_modules.kernels.argmax import most_probable
from lightning_modules.kernels.bfloat16 import rounding
from lightning_modules.kernels.onednn import is_for_bfloat16, product
from lightning_modules.kernels.rows import filled

CHUNK_ROWS = 1024
"""Positions projected onto the vocabulary at once."""

PASS_ROWS = 128
"""Positions whose softmax is made at once; their logits stay in the processor's cache."""


class _ProjectedCrossEntropy(torch.autograd.Function):
    """Projection, softmax, loss and all three gradients, chunk by chunk, in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        needed = any(ctx.needs_input_grad[:3])
        loss, nll = hidden.new_zeros(()), hidden.new_zeros(())
        # The first chunk's gradient is taken as it is: zeros of the vocabulary's size are a pass over the memory.
        first = torch.empty_like(weight) if len(hidden) else torch.zeros_like(weight)
        gradients = [torch.empty_like(hidden), first, torch.zeros_like(bias)] if needed else []
        for start in range(0, len(hidden), CHUNK_ROWS):
            rows, gold = (each[start : start + CHUNK_ROWS] for each in (hidden, targets))
            count = len(rows)
            if is_for_bfloat16(rows, weight):
                rows = filled(rows)
            logits = product(rows, weight)
            for part, part_gold in zip(logits[:count].split(PASS_ROWS), gold.split(PASS_ROWS), strict=True):
                part += bias
                part_loss, part_nll = _to_errors(part, part_gold[:, None], smoothing)
                loss += part_loss
                nll += part_nll
            if needed:
                logits[count:] = 0
                gradients[0][start : start + CHUNK_ROWS] = product(logits, weight.t())[:count]
                with rounding() if is_for_bfloat16(rows, weight) else nullcontext():
                    if start:
                        gradients[1].addmm_(logits.t(), rows)
                    else:
                        torch.mm(logits.t(), rows, out=gradients[1])
                gradients[2].add_(logits.sum(dim=0))
        ctx.gradients = gradients
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        # Given away and not kept, so that they become the parameters' without a copy: there is one backward pass.
        hidden, weight, bias = (gradient.mul_(grad_loss) for gradient in ctx.gradients)
        del ctx.gradients
        return hidden, weight, bias, None, None


def _to_errors(logits: Tensor, gold: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Makes logits their own gradients, in place: ``softmax - (1 - smoothing) * onehot - smoothing / classes``.

    Args:
        logits: ``(positions, classes)``.
        gold: ``(positions, 1)``.
        smoothing: Share of the target distribution spread evenly.

    Returns:
        The smoothed loss and the negative log-likelihood, each summed.
    """
    torch.log_softmax(logits, dim=1, out=logits)  # each row while it is in the nearest cache
    nll = -logits.gather(1, gold).sum()
    uniform_nll = -logits.sum() / logits.shape[1]
    errors = logits.exp_().sub_(smoothing / logits.shape[1])
    errors.scatter_add_(1, gold, errors.new_full(gold.shape, smoothing - 1))
    return (1 - smoothing) * nll + smoothing * uniform_nll, nll


def projected_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of ``softmax(hidden @ weight.T + bias)``, summed over positions.

    Equal to ``torch.nn.functional.cross_entropy`` of the logits with ``reduction="sum"``, but the logits exist for
    :data:`CHUNK_ROWS` positions at a time, and the gradients are made in the forward pass from the same chunk.

    Args:
        hidden: ``(positions, size)``, real positions only.
        weight: ``(classes, size)``.
        bias: ``(classes,)``.
        targets: ``(positions,)``, int64.
        label_smoothing: Share of the target distribution spread evenly over all classes (Szegedy et al. 2016,
            section 7).

    Returns:
        Two scalars in nats: the smoothed loss, which carries the gradient, and the negative log-likelihood of the
        targets, which does not.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        return _ProjectedCrossEntropy.apply(hidden.to(weight.dtype), weight, bias, targets, label_smoothing)


class _ProjectedLogProbabilities(torch.autograd.Function):
    """Log-probabilities of chosen classes; the logits are made once more in the backward pass, and never stored."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        chosen, mean = hidden.new_empty(len(hidden)), hidden.new_empty(len(hidden))
        for start in range(0, len(hidden), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            scores = product(hidden[rows], weight, bias).log_softmax(dim=1)
            chosen[rows] = scores.gather(1, targets[rows, None]).squeeze(1)
            mean[rows] = scores.mean(dim=1)
        ctx.save_for_backward(hidden, weight, bias, targets)
        return chosen, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_chosen: Tensor, grad_mean: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets = ctx.saved_tensors
        to_hidden, to_weight, to_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        for start in range(0, len(hidden), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            of_chosen, of_mean = grad_chosen[rows, None], grad_mean[rows, None]
            errors = product(hidden[rows], weight, bias).softmax(dim=1).mul_(-of_chosen - of_mean)
            errors.add_(of_mean / weight.shape[0]).scatter_add_(1, targets[rows, None], of_chosen)
            to_hidden[rows] = product(errors, weight.t())
            to_weight.addmm_(errors.t(), hidden[rows])
            to_bias.add_(errors.sum(dim=0))
        return to_hidden, to_weight, to_bias, None


def projected_log_probabilities(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities under ``softmax(hidden @ weight.T + bias)``, which a loss of one's own can be made of.

    Equal to a ``log_softmax`` of the logits, but these exist for :data:`CHUNK_ROWS` positions at a time, in the
    backward pass as well, which makes them anew: one product more than :func:`projected_cross_entropy` takes.

    Args:
        hidden: ``(positions, size)``, real positions only.
        weight: ``(classes, size)``.
        bias: ``(classes,)``.
        targets: ``(positions,)``, int64.

    Returns:
        Two tensors of ``(positions,)`` in nats, both with a gradient: of the target, and the mean over all classes.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        found: tuple[Tensor, Tensor] = _ProjectedLogProbabilities.apply(hidden.to(weight.dtype), weight, bias, targets)
    return found


@torch.no_grad()
def projected_outcomes(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """How ``softmax(hidden @ weight.T + bias)`` predicts each target; without gradients.

    As in :func:`projected_cross_entropy`, the logits exist for :data:`CHUNK_ROWS` positions at a time.

    Args:
        hidden: ``(positions, size)``, real positions only.
        weight: ``(classes, size)``.
        bias: ``(classes,)``.
        targets: ``(positions,)``, int64.

    Returns:
        Two tensors of ``(positions,)``: the log-probability of each target in nats, and the most probable class.
    """
    precision = torch.promote_types(weight.dtype, torch.float32)
    scores, predicted = [], []
    with torch.autocast(hidden.device.type, enabled=False):
        chunks = hidden.to(weight.dtype).split(CHUNK_ROWS)
        for rows, gold in zip(chunks, targets.split(CHUNK_ROWS), strict=True):
            logits = product(rows, weight, bias).to(precision)
            scores.append(-functional.cross_entropy(logits, gold, reduction="none"))
            predicted.append(most_probable(logits))
    return torch.cat(scores), torch.cat(predicted)
