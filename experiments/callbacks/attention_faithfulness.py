"""Whether attention explains what a model writes: its weights beside what the source tokens are seen to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import lightning as L
import torch
from torch import Tensor, nn

from datamodules.batch import UNK, SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks.evaluation_statistics import EvaluationStatistics, log_scores
from experiments.callbacks.text_metrics import EvaluationStage
from experiments.metrics.rank_correlation import kendall
from lightning_modules.layers.attention.altered import even, reweighted, shuffled
from lightning_modules.layers.heads import Attended
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

ALTERATIONS = {"even": even, "shuffled": shuffled}
"""What is made of the weights after training, by the end of the metric's name."""


class _Sentence(NamedTuple):
    """Of a sentence: its target tokens that are compared, sums over them, and tokens right under each alteration."""

    compared: int
    leave_one_out: float
    gradient: float
    tokens: int
    right: tuple[int, ...]


class AttentionFaithfulness(EvaluationStatistics[_Sentence]):
    """Measures in a test whether attention explains (Jain and Wallace 2019, "Attention is not Explanation").

    Under teacher forcing, at each target token but EOS, the weights over the source tokens but EOS, heads averaged, are
    compared with two measures of what these tokens do to the log-probability of the gold token. Logged are the means of
    Kendall's tau-b, from -1 to 1:

    - ``attention_leave_one_out``: with how much it changes when the source token is replaced by the unknown one;
    - ``attention_gradient``: with the norm of its gradient by the source token's embedding.

    And the share of target tokens, EOS included, that the model predicts with other weights than its own:

    - ``accuracy_attention_even``: the same for each source token;
    - ``accuracy_attention_shuffled``: its own, but at source tokens that are drawn at random.

    Where neither costs anything, what is attended to does not matter. A model without attention has none of them.

    Args:
        sentences: Only the first so many of the test set: each source token takes a run, and each target token a
            gradient.

    Raises:
        UserError: ``sentences`` is below 1; or, raised by :meth:`setup`, the model is a :class:`MonotonicTransducer`.
    """

    def __init__(self, sentences: int = 200) -> None:
        super().__init__()
        if sentences < 1:
            raise UserError(f"sentences of AttentionFaithfulness is {sentences}: give at least 1")
        self.sentences = sentences

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuses a model that does not predict from what it attended to.

        Raises:
            UserError: The model is a :class:`MonotonicTransducer`.
        """
        if isinstance(pl_module, MonotonicTransducer):
            raise UserError(
                "AttentionFaithfulness measures what attention has to do with a prediction, but a MonotonicTransducer "
                "sums over all alignments: leave it out"
            )

    def chosen(self, batch: SequenceBatch) -> SequenceBatch:
        """Those that are among the first; see :meth:`EvaluationStatistics.chosen`."""
        return _rows(batch, (batch.index < self.sentences).nonzero().squeeze(1))

    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[_Sentence]:
        """The sums of each sentence; see :meth:`EvaluationStatistics.measured`."""
        if not trainer.testing:
            return []
        batch = _cloned(batch)
        _, weights = module(batch)
        if not weights.shape[1]:
            return []
        weights = weights.mean(dim=1)
        gold, asked = batch.target_output, batch.target_output.mask.clone()
        asked.scatter_(1, (gold.lengths - 1)[:, None], False)  # EOS
        mask = batch.source.mask.clone()
        mask.scatter_(1, (batch.source.lengths - 1)[:, None], False)
        before = _gold_scores(module, batch)
        changes = torch.stack(
            [(_gold_scores(module, _without(batch, place)) - before).abs() for place in range(mask.shape[1])], dim=-1
        )
        taus = [_mean_tau(weights, measure, mask, asked) for measure in (changes, _gradients(module, batch))]
        right = [_right(reweighted(module, change), batch) for change in ALTERATIONS.values()]
        columns = (asked.sum(dim=1), *taus, gold.lengths)
        rows = zip(*(column.tolist() for column in columns), zip(*right, strict=True), strict=True)
        return [_Sentence(*row) for row in rows]

    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[_Sentence]
    ) -> None:
        """Logs the means; see :meth:`EvaluationStatistics.report`."""
        compared = max(1, sum(each.compared for each in sentences))
        tokens = max(1, sum(each.tokens for each in sentences))
        scores = {
            "attention_leave_one_out": sum(each.leave_one_out for each in sentences) / compared,
            "attention_gradient": sum(each.gradient for each in sentences) / compared,
        }
        for place, name in enumerate(ALTERATIONS):
            scores[f"accuracy_attention_{name}"] = sum(each.right[place] for each in sentences) / tokens
        log_scores(module, stage, scores)


def _rows(batch: SequenceBatch, rows: Tensor) -> SequenceBatch:
    """Some sentences of a batch, ``(count,)`` rows of it, without the padding that they do not need."""
    sides = []
    for side in (batch.source, batch.target):
        lengths = side.lengths[rows]
        longest = int(lengths.max()) if len(rows) else 0
        sides.append(replace(side, values=side.values[rows, :longest], lengths=lengths))
    return SequenceBatch(sides[0], sides[1], batch.index[rows])


@contextmanager
def _with_gradients() -> Iterator[None]:
    """Gradients in the middle of a test, which Lightning runs in inference mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _cloned(batch: SequenceBatch) -> SequenceBatch:
    """The batch as tensors of which gradients may be taken."""
    with _with_gradients():
        sides = [
            replace(side, values=side.values.clone(), lengths=side.lengths.clone())
            for side in (batch.source, batch.target)
        ]
        return SequenceBatch(sides[0], sides[1], batch.index.clone())


def _without(batch: SequenceBatch, place: int) -> SequenceBatch:
    """The batch with an unknown token at a place of each source; EOS and padding stay."""
    values = batch.source.values.clone()
    values[:, place] = torch.where(place < batch.source.lengths - 1, UNK, values[:, place])
    return replace(batch, source=replace(batch.source, values=values))


def _gold_scores(module: TokenEncoderDecoder, batch: SequenceBatch) -> Tensor:
    """Log-probabilities of the gold tokens, ``(batch, target_len)``; 0 on padding."""
    hidden, weights = module(batch)
    gold = batch.target_output
    real = gold.mask
    scores = module.output.gold_log_probabilities(hidden, gold.real(gold.values), module.attended(batch, weights))
    return torch.zeros(real.shape, dtype=scores.dtype, device=scores.device).masked_scatter(real, scores)


def _right(module: TokenEncoderDecoder, batch: SequenceBatch) -> list[int]:
    """How many target tokens of each sentence are predicted."""
    _, predicted = module.outcomes(batch, *module(batch))
    gold = batch.target_output
    hits = torch.zeros(gold.mask.shape, dtype=torch.bool, device=predicted.device)
    hits = hits.masked_scatter(gold.mask, predicted == gold.real(gold.values))
    return [int(count) for count in hits.sum(dim=1)]


def _gradients(module: TokenEncoderDecoder, batch: SequenceBatch) -> Tensor:
    """Norms of the gradients of each gold token's log-probability by each source token's embedding.

    Returns:
        ``(batch, target_len, source_len)``; 0 for targets that are padding.
    """
    embedded: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> Tensor:
        if embedded:
            return output  # the target's, where both sides have one matrix
        embedded.append(output.detach().requires_grad_())
        return embedded[0]

    gold = batch.target_output
    hook = module.source_embedding.register_forward_hook(keep)
    try:
        with _with_gradients():
            hidden, weights = module(batch)
    finally:
        hook.remove()
    norms = []
    places = torch.arange(gold.mask.shape[1], device=hidden.device).expand_as(gold.mask)[gold.mask]
    with _with_gradients():
        tokens, attended = gold.real(gold.values), module.attended(batch, weights)  # weights that are copied by, too
        for step in range(gold.mask.shape[1]):
            rows = places == step
            there = None if attended is None else Attended(attended.weights[rows], attended.source[rows])
            scores = module.output.gold_log_probabilities(hidden[rows], tokens[rows], there)
            (gradient,) = torch.autograd.grad(scores.sum(), embedded[0], retain_graph=True)
            norms.append(gradient.norm(dim=-1))
    return torch.stack(norms, dim=1) * gold.mask[:, :, None]


def _mean_tau(weights: Tensor, measure: Tensor, mask: Tensor, asked: Tensor) -> Tensor:
    """The sum over target tokens of Kendall's tau between weights and another measure, for each sentence.

    Args:
        weights: ``(batch, target_len, source_len)``.
        measure: The same.
        mask: ``(batch, source_len)``, the source tokens that are compared.
        asked: ``(batch, target_len)``, the target tokens that count.
    """
    rows = asked.nonzero()[:, 0]
    taus = kendall(weights[asked].double(), measure[asked].double(), mask[rows])
    return torch.zeros(len(mask), dtype=torch.double, device=taus.device).index_add(0, rows, taus)
