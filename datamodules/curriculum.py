"""Curricula: which batches come when, by the length of their sentences."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from datamodules.errors import UserError
from datamodules.tokenizers import Setting


class Curriculum(ABC):
    """What every curriculum offers: an order of an epoch's batches, which are numbered from short to long.

    An epoch has the same number of batches under each, so that variants compare at equal updates.
    """

    @abstractmethod
    def order(self, count: int, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """The batches of an epoch.

        Args:
            count: Number of batches, by rising length.
            epoch: Counted from 0.
            generator: Random generator of this epoch.

        Returns:
            ``(count,)``, the number of the batch that comes at each place.
        """

    @abstractmethod
    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""


class Shuffled(Curriculum):
    """No curriculum: every batch once, in random order."""

    def order(self, count: int, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """A permutation; see :meth:`Curriculum.order`."""
        return generator.permutation(count)

    def settings(self) -> dict[str, Setting]:
        """None."""
        return {}


class ShortestFirst(Curriculum):
    """The shortest sentences first, every batch once; a random order after the first epochs.

    Args:
        epochs: How many epochs go from short to long.

    Raises:
        UserError: ``epochs`` is negative.
    """

    def __init__(self, epochs: int = 1) -> None:
        if epochs < 0:
            raise UserError(f"the epochs of ShortestFirst are {epochs}: give 0 or more")
        self.epochs = epochs

    def order(self, count: int, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """From short to long, or a permutation; see :meth:`Curriculum.order`."""
        return np.arange(count) if epoch < self.epochs else generator.permutation(count)

    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""
        return {"epochs": self.epochs}


class Competence(Curriculum):
    """Batches are drawn from the share of the sentences that the model is up to (Platanios et al. 2019).

    The competence at time t is ``min(1, ((t / length) (1 - initial ** p) + initial ** p) ** (1 / p))``, the paper's
    root of degree p, and difficulty is length: at a competence of 0.3 a batch is drawn from the shortest 30 percent.
    Batches may come again before all have come; when the competence has reached 1, every batch comes once in each
    epoch.

    Args:
        length: Epochs until all sentences are in use.
        initial: Competence at the start, in (0, 1].
        power: p; 1 is linear, 2 the square root, larger values widen the share sooner.

    Raises:
        UserError: A value is out of range.
    """

    def __init__(self, length: float = 3.0, initial: float = 0.01, power: float = 2.0) -> None:
        if not 0.0 < length < math.inf:
            raise UserError(f"the length of Competence is {length}: give more than 0 epochs")
        if not 0.0 < initial <= 1.0:
            raise UserError(f"the initial competence is {initial}: give a share above 0, up to 1")
        if not 0.0 < power < math.inf:
            raise UserError(f"the power of Competence is {power}: give more than 0, for example 2")
        self.length = length
        self.initial = initial
        self.power = power

    def competence(self, time: float) -> float:
        """The share of the sentences in use after so many epochs."""
        start = self.initial**self.power
        return min(1.0, (time / self.length * (1.0 - start) + start) ** (1.0 / self.power))

    def order(self, count: int, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """Draws while the competence grows, a permutation from there on; see :meth:`Curriculum.order`."""
        if self.competence(epoch) >= 1.0:
            return generator.permutation(count)
        competences = [self.competence(epoch + place / count) for place in range(count)]
        return generator.integers(np.ceil(np.multiply(competences, count)).astype(np.int64))

    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""
        return {"length": self.length, "initial": self.initial, "power": self.power}
