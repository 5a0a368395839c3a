"""Hard attention that is summed over exactly: an alignment as a latent variable, and the forward algorithm over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.attention import Attention, AttentionFactory
from lightning_modules.layers.state import DecoderState, Memory

Order = Literal[0, 1]
"""What the alignment of a step depends on: nothing but the history of tokens, or the alignment of the step before."""

NEVER = -1e30
"""The logarithm of a probability of 0: its exponential is exactly 0, and sums and gradients with it are numbers."""


def monotone_prior(scores: Tensor, posterior: Tensor) -> Tensor:
    """``p(a_t = j) = sum over i <= j of p(a_(t-1) = i) exp(score_j) / (sum over k >= i of exp(score_k))``.

    A step back has probability 0, and the others are renormalised for each i. The two sums are cumulative, so that no
    matrix of transitions is made.

    Args:
        scores: ``(..., s)``, where to, :data:`NEVER` on padding.
        posterior: ``(..., s)``, log-probabilities of where from.

    Returns:
        ``(..., s)``, log-probabilities.
    """
    onwards = _logcumsumexp(scores.flip(-1)).flip(-1)
    return scores + _logcumsumexp(posterior - onwards)


def _logcumsumexp(values: Tensor) -> Tensor:
    """``log(sum over i <= j of exp(value_i))``, ``(..., s)``; of a graph all sums at once, as ONNX has no operator."""
    if GraphForm.current() is None:
        return values.logcumsumexp(dim=-1)
    places = torch.arange(values.shape[-1], device=values.device)
    return values[..., None, :].masked_fill(places > places[:, None], -torch.inf).logsumexp(dim=-1)


def posterior_of(prior: Tensor, emission: Tensor) -> Tensor:
    """What is known of an alignment once its token is: ``p(a) p(y | a)``, normalised (Bayes' rule).

    Args:
        prior: ``(..., s)``, log-probabilities, but for a constant.
        emission: ``(..., s)``, the token's, but for a constant.

    Returns:
        ``(..., s)``, log-probabilities; numbers too where the token is impossible at all positions.
    """
    return (prior + emission.clamp(min=NEVER)).log_softmax(dim=-1)


@dataclass(frozen=True)
class AlignedState(DecoderState):
    """A decoder's state, and what is known of the last step's alignment.

    Attributes:
        recurrent: The decoder's own.
        weights: ``(rows, s)``, log-probabilities of the last alignment but for a constant; where the last token is not
            known yet, without its logit at each position.
        output: ``(rows, o)``, the decoder's last output, from which these logits follow; None where they are in
            ``weights`` already.
    """

    recurrent: DecoderState
    weights: Tensor
    output: Tensor | None = None

    def select(self, rows: Tensor) -> AlignedState:
        """The given rows; see :meth:`DecoderState.select`."""
        output = None if self.output is None else self.output.index_select(0, rows)
        return AlignedState(self.recurrent.select(rows), self.weights.index_select(0, rows), output)


class HardAlignment(nn.Module):
    """Each target token comes of one source position, and all of them are summed over (Wu and Cotterell 2019).

    ``p(y_t | y_<t, x) = sum over i of p(a_t = i | y_<t, x) p(y_t | a_t = i, y_<t, x)``. At order 0 the alignment is
    ``softmax_i(score(h_t, memory_i))`` (hard attention without monotonicity, Wu, Shapiro and Cotterell 2018). At order
    1 it is p(a_t | a_(t-1), y_<t, x) with a_t >= a_(t-1): the same softmax over the positions from a_(t-1) on, and a_0
    is the first one. The forward algorithm sums over a_(t-1).

    Letters: r rows (as many for each sentence as for the others, one after the other), t target length, s source
    length, o size of decoder outputs and of what is made here.

    Args:
        output_size: Width of the decoder's outputs h.
        memory_size: Width of the memory.
        attention: What scores, made of (query size, memory size); its weights and contexts are not used.
        order: What an alignment depends on.

    Raises:
        UserError: The attention has several heads or none, or is more than a score: local, or with a memory.
    """

    def __init__(self, output_size: int, memory_size: int, attention: AttentionFactory, order: Order) -> None:
        super().__init__()
        self.order: Order = order
        self.attention = attention(output_size, memory_size)
        self.query_output = Linear(output_size, output_size)
        self.memory_output = Linear(memory_size, output_size, bias=False)
        kind = type(self.attention)
        if self.attention.heads != 1 or kind.forward is not Attention.forward:
            raise UserError(
                f"a hard alignment takes one score of each position from its attention, and {kind.__name__} is not of "
                "this kind: give GeneralAttention, BahdanauAttention, ConcatAttention, DotAttention or "
                "ScaledDotAttention as model.init_args.attention"
            )

    @property
    def projections(self) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """What makes of the memory alone, ``(batch, source_len, memory_size)``, keys and its part of :meth:`joint`."""
        return self.attention.project, self.memory_output

    def prepare(self, memory: Memory) -> Memory:
        """Adds what depends on the memory alone, once per sentence."""
        return replace(memory, keys=(*memory.keys, *(project(memory.values) for project in self.projections)))

    def initial(self, recurrent: DecoderState, memory: Memory) -> AlignedState:
        """The state before the first step: aligned to the first position."""
        mask = memory.mask
        weights = torch.full(mask.shape, NEVER, dtype=_precise(memory.values), device=mask.device)
        weights[:, 0] = 0.0
        return AlignedState(recurrent, weights)

    def scores(self, outputs: Tensor, memory: Memory) -> Tensor:
        """How well each position fits each step.

        Args:
            outputs: ``(r, t, o)``, the decoder's.
            memory: From :meth:`prepare`.

        Returns:
            ``(r, t, s)``, :data:`NEVER` on padding.
        """
        query = outputs.reshape(memory.mask.shape[0], -1, outputs.shape[2])
        scores = self.attention.score(query, memory.keys[-2]).squeeze(1) / self.attention.temperature
        scores = scores.to(_precise(scores)).masked_fill(~memory.mask[:, None], NEVER)
        return scores.view(*outputs.shape[:2], -1)

    def joint(self, outputs: Tensor, memory: Memory) -> Tensor:
        """``tanh(W [h_t; memory_i])``, what each step would say at each position.

        Args:
            outputs: ``(r, t, o)``, the decoder's.
            memory: From :meth:`prepare`.

        Returns:
            ``(r, t, s, o)``.
        """
        query = self.query_output(outputs).view(memory.mask.shape[0], -1, 1, outputs.shape[2])
        return (query + memory.keys[-1][:, None]).tanh().view(*outputs.shape[:2], *memory.keys[-1].shape[1:])

    def priors(self, scores: Tensor, emission: Tensor, posterior: Tensor) -> Tensor:
        """``p(a_t | y_<t, x)`` of each step: the filtered alignment.

        Args:
            scores: ``(r, t, s)``, from :meth:`scores`.
            emission: ``(r, t, s)``, log-probabilities of the tokens of the steps at each position.
            posterior: ``(r, s)``, log-probabilities of the alignment before the first of these steps.

        Returns:
            ``(r, t, s)``, log-probabilities.
        """
        if self.order == 0:
            return scores.log_softmax(dim=-1)
        priors = []
        for score, emitted in zip(scores.unbind(1), emission.unbind(1), strict=True):
            priors.append(monotone_prior(score, posterior))
            posterior = posterior_of(priors[-1], emitted)
        return torch.stack(priors, dim=1)

    def prior(self, scores: Tensor, posterior: Tensor) -> Tensor:
        """That of a single step, ``(r, s)``; the scores are ``(r, s)``."""
        return self.priors(scores[:, None], scores.new_zeros(scores.shape)[:, None], posterior).squeeze(1)


def _precise(values: Tensor) -> torch.dtype:
    return torch.promote_types(values.dtype, torch.float32)
