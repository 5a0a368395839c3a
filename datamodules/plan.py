"""The batch plan: which pairs form which batch, as a function of (seed, epoch) alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, TypeVar

import lightning as L
import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.buckets import Buckets
from datamodules.curriculum import Curriculum, Shuffled
from datamodules.errors import UserError

BatchUnit = Literal["sentences", "tokens"]

Batch = TypeVar("Batch", covariant=True)


class BatchPlan(Sampler[list[int]]):
    """Global batches of similar length, shared out over the ranks.

    Pairs are grouped by the longer of their two sides, so that little is padded, and cut into batches by a budget. In
    each epoch the pairs of similar length are mixed anew, and the batches come in a new order. Cuts depend on the
    sorted lengths alone: every epoch has the same number of batches. The plan knows no ranks: rank r takes every
    ``world_size``-th pair of each global batch, so that one process or eight train the same batches.

    More pairs than ``at_once`` are shuffled in parts, which come in a new order in every epoch, so that memory does not
    grow with the corpus. Each part has blocks from all over it. A curriculum orders all pairs together, and so does a
    plan that does not shuffle.

    Args:
        lengths: ``(pairs, 2)``, source and target length of each pair in tokens, without reserved ids; of sequences
            without a target ``(sequences, 1)``.
        batch_size: The budget of one global batch, all ranks together.
        unit: What the budget counts: sentence pairs, or padded tokens of the longer side (EOS included).
        shuffle: A new order in every epoch; else always the same, by length.
        seed: Seed of the order.
        rank: Which share :meth:`__iter__` yields.
        world_size: Number of shares.
        mixing: Pairs whose target lengths differ by up to this many tokens are mixed when the order is shuffled.
        curriculum: Which batches come when, where the order is shuffled; each once, in random order, if not given.
        at_once: Pairs whose order, of 4 bytes each, is in memory at a time, up to the next whole block.

    Raises:
        UserError: The budget is smaller than one sentence, or than the longest one in tokens.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        unit: BatchUnit = "sentences",
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        mixing: float = 3.0,
        curriculum: Curriculum | None = None,
        at_once: int = 2**23,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}: give at least 1")
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.mixing = mixing
        self.curriculum = curriculum or Shuffled()
        self.epoch = 0
        self._skipped = 0
        self._lengths = lengths
        parts = -(-len(lengths) // at_once) if shuffle and curriculum is None else 1
        width = max(1, round(mixing)) if shuffle else 1
        self._parts = [Buckets(lengths, width, part, parts) for part in range(max(1, parts))]
        self._cuts = [_cut(buckets, batch_size, unit) for buckets in self._parts]

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order the next iteration has; Lightning calls this."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Leaves out the first batches of the next iteration; :meth:`__len__` counts them all the same."""
        self._skipped = batches

    def batches(self, epoch: int) -> list[np.ndarray]:
        """The global batches of an epoch.

        Args:
            epoch: Counted from 0; without effect unless the plan shuffles.

        Returns:
            For each batch the indices of its pairs.
        """
        return list(self._batches(epoch))

    def _batches(self, epoch: int, skipped: int = 0) -> Iterator[np.ndarray]:
        """The global batches of an epoch, without the first ones; of a large corpus no more is held than a part's."""
        generator = np.random.default_rng([self.seed, epoch])
        if len(self._parts) == 1:
            yield from islice(self._batches_of(0, epoch, generator), skipped, None)
            return
        for part in generator.permutation(len(self._parts)).tolist():
            count = len(self._cuts[part]) - 1
            if skipped < count:
                own = np.random.default_rng([self.seed, epoch, part])
                yield from islice(self._batches_of(part, epoch, own), skipped, None)
            skipped = max(0, skipped - count)

    def _batches_of(self, part: int, epoch: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
        """The global batches of a part of the pairs."""
        buckets, cuts = self._parts[part], self._cuts[part]
        order = buckets.order()
        end = 0
        for _, size in buckets.bounds():
            bucket = order[end : end + size]
            within = self._lengths[bucket, -1].astype(np.float64)
            if self.shuffle:
                within += generator.uniform(0.0, self.mixing, size=size)
            order[end : end + size] = bucket[np.argsort(within, kind="stable")]
            end += size
        count = len(cuts) - 1
        for position in self.curriculum.order(count, epoch, generator) if self.shuffle else range(count):
            yield order[cuts[position] : cuts[position + 1]]

    def __len__(self) -> int:
        return sum(len(cuts) - 1 for cuts in self._cuts)

    def __iter__(self) -> Iterator[list[int]]:
        skipped, self._skipped = self._skipped, 0
        for batch in self._batches(self.epoch, skipped):
            yield batch[self.rank :: self.world_size].tolist()


class FixedBatches(Dataset[Batch]):
    """The batches of a plan as items, in its order; what the plan does later changes nothing.

    Args:
        corpus: A dataset of whole batches: its item for a list of indices is their batch.
        plan: Which batches.
    """

    def __init__(self, corpus: Dataset[Batch], plan: BatchPlan) -> None:
        self._corpus = corpus
        self._batches = list(plan)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:
        return self._corpus[self._batches[number]]


class PlannedLoader(DataLoader[Batch]):
    """A loader whose passes begin only when their first batch is asked for.

    Lightning begins the pass of a resumed epoch before it tells the sampler which epoch that is; worker processes would
    load batches of epoch 0 by then. That there is a state tells Lightning that an epoch can be resumed.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch's is of single indices
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: batches are a function of the seed, the epoch and their number, which the Trainer counts."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes nothing; see :meth:`BatchPlan.skip`."""


def planned_loader(
    corpus: Dataset[Batch],
    lengths: np.ndarray,
    batch_size: int,
    unit: BatchUnit = "sentences",
    shuffle: bool = False,
    seed: int = 0,
    trainer: L.Trainer | None = None,
    overfits: bool = False,
    num_workers: int = 0,
    curriculum: Curriculum | None = None,
) -> DataLoader[Batch]:
    """Loads a corpus in the batches of a plan.

    Args:
        corpus: A dataset of whole batches: its item for a list of indices is their batch.
        lengths: Lengths of the corpus's examples, as :class:`BatchPlan` takes them.
        batch_size: The budget of one global batch, all ranks together.
        unit: What the budget counts.
        shuffle: A new order in every epoch.
        seed: Seed of the order.
        trainer: Knows the rank and the number of processes; none for a single process.
        overfits: Whether the Trainer's ``overfit_batches`` concerns this corpus. Where it is set, every epoch has the
            batches of the plan's present one, and the Trainer takes that many of them. It would put a sampler of its
            own in the place of any that does not count from 0, so then the plan's batches are items.
        num_workers: Processes that load; 0 loads in the calling one.
        curriculum: Which batches come when, where the order is shuffled.

    Raises:
        UserError: ``overfit_batches`` is a share of less than one batch.
    """
    rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
    plan = BatchPlan(lengths, batch_size, unit, shuffle, seed, rank, world_size, curriculum=curriculum)
    overfit_batches: float = trainer.overfit_batches if trainer and overfits else 0  # type: ignore[attr-defined]  # a connector sets it
    options: dict[str, Any] = {
        "batch_size": None,
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "worker_init_fn": _hear_no_signal,
    }
    if not overfit_batches:
        return PlannedLoader(corpus, sampler=plan, **options)
    if overfit_batches * len(plan) < 1:
        raise UserError(
            f"--trainer.overfit_batches {overfit_batches} is less than one batch of {len(plan)}: give a number of "
            "batches, for example 1"
        )
    return PlannedLoader(FixedBatches(corpus, plan), **options)


def _hear_no_signal(_worker: int) -> None:
    """Lets a loader's process ignore what the training is told as well, which decides.

    Ctrl-C reaches every process of a terminal, SLURM's signals every process of a job.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "SLURM_JOB_ID" in os.environ:
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _cut(buckets: Buckets, batch_size: int, unit: BatchUnit) -> np.ndarray:
    """Where the pairs, bucket by bucket, are cut into batches.

    Args:
        buckets: The buckets of the pairs.
        batch_size: The budget.
        unit: What the budget counts.
    """
    if unit == "sentences":
        total = int(buckets.sizes.sum())
        return np.append(np.arange(0, total, batch_size), total)
    cuts, begin, end = [0], 0, 0
    for length, size in buckets.bounds():
        if size and length > batch_size:
            raise UserError(
                f"batch_size is {batch_size} tokens, but a sentence has up to {length}: raise batch_size or lower "
                "max_length"
            )
        begin, end = end, end + size
        while size and end - cuts[-1] > batch_size // length:
            cuts.append(max(begin, cuts[-1] + batch_size // length))
    return np.array([*cuts, end])
