"""What is attended to when a phrase comes back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

import lightning as L
import numpy as np

from datamodules.batch import SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks.evaluation_statistics import EvaluationStatistics, log_scores
from experiments.callbacks.text_metrics import EvaluationStage
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


class GroupedData(Protocol):
    """A data module whose sources and targets run in step."""

    @property
    def group(self) -> tuple[int, int]:
        """Source tokens and target tokens of each group."""


class _Sentence(NamedTuple):
    """Sums over the target tokens at which a phrase has come back."""

    tokens: int
    own: float
    earlier: float
    even: float


class PhraseReturns(EvaluationStatistics[_Sentence]):
    """Measures where a model looks when the source has come back to a phrase that it had before.

    For data whose sides run in step, as music: each group of target tokens belongs to a group of source tokens, those
    of its step or bar. A phrase has come back at a group where it and the groups before it, ``length`` in all, were the
    same somewhere earlier in the source. Logged are, in validation and in test, under teacher forcing, heads averaged,
    the means over the target tokens of these groups:

    - ``return_own``, the weight on their own group;
    - ``return_earlier``, the weight on the groups at which the phrase was before;
    - ``return_even``, what these would have if all of the source were attended to alike.

    A set in which no phrase comes back, or a model without attention, has none of them.

    Args:
        length: Groups that have to be the same.

    Raises:
        UserError: The length is below 1.
    """

    def __init__(self, length: int = 4) -> None:
        super().__init__()
        if length < 1:
            raise UserError(f"the length of PhraseReturns is {length}: give at least 1")
        self.length = length

    def measured(self, trainer: L.Trainer, module: TokenEncoderDecoder, batch: SequenceBatch) -> Sequence[_Sentence]:
        """The sums of each sentence; see :meth:`EvaluationStatistics.measured`."""
        sources, targets = _group_of(trainer)
        weights = module(batch)[1].cpu().double()
        if not weights.shape[1]:
            return []
        rows = zip(
            weights.mean(dim=1).numpy(),
            batch.source.values.tolist(),
            batch.source.lengths.tolist(),
            batch.target_output.lengths.tolist(),
            strict=True,
        )
        return [
            _sums(row[: target - 1, :source], ids[: source - 1], sources, targets, self.length)
            for row, ids, source, target in rows
        ]

    def report(
        self, trainer: L.Trainer, module: L.LightningModule, stage: EvaluationStage, sentences: Sequence[_Sentence]
    ) -> None:
        """Logs the means; see :meth:`EvaluationStatistics.report`."""
        if tokens := sum(each.tokens for each in sentences):
            sums = {name: sum(getattr(each, name) for each in sentences) for name in ("own", "earlier", "even")}
            log_scores(module, stage, {f"return_{name}": value / tokens for name, value in sums.items()})


def returns(groups: Sequence[Sequence[int]], length: int) -> dict[int, list[int]]:
    """Where a phrase comes back.

    Args:
        groups: What is compared.
        length: Groups of a phrase.

    Returns:
        For each position at whose end a phrase stands that was there before, the positions at whose end it was.
    """
    seen: defaultdict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    found = {}
    for end in range(length - 1, len(groups)):
        earlier = seen[tuple(tuple(each) for each in groups[end - length + 1 : end + 1])]
        if earlier:
            found[end] = list(earlier)
        earlier.append(end)
    return found


def _sums(weights: np.ndarray, source: Sequence[int], sources: int, targets: int, length: int) -> _Sentence:
    """The sums of one sentence, of its weights ``(target_len, source_len)``."""
    groups = [source[start : start + sources] for start in range(0, len(source), sources)]
    tokens, own, earlier, even = 0, 0.0, 0.0, 0.0
    for group, before in returns(groups, length).items():
        rows = weights[group * targets : (group + 1) * targets]
        tokens += len(rows)
        own += rows[:, group * sources : (group + 1) * sources].sum()
        earlier += sum(rows[:, each * sources : (each + 1) * sources].sum() for each in before)
        even += len(rows) * len(before) * sources / weights.shape[1]
    return _Sentence(tokens, float(own), float(earlier), even)


def _group_of(trainer: L.Trainer) -> tuple[int, int]:
    data = getattr(trainer, "datamodule", None)
    if not hasattr(type(data), "group"):
        raise UserError(
            f"PhraseReturns needs data whose sides run in step, as MusicDataModule, not {type(data).__name__}: take it "
            "out of trainer.callbacks"
        )
    return cast(GroupedData, data).group
