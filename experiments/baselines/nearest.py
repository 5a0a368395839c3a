"""What was written before: the target of the most similar training source, or the commonest one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from datamodules.excerpts import Excerpt
from experiments.baselines.baseline import Baseline
from experiments.metrics.summaries import lowered_words


class MostFrequent(Baseline):
    """The commonest target of the training, whatever the source; of several, the one that came first."""

    def __init__(self) -> None:
        self._target = ""

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Counts the targets."""
        self._target = Counter(targets).most_common(1)[0][0]

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`."""
        return self._target


class NearestNeighbour(Baseline):
    """The target of the training source whose words have the greatest cosine with those of the source.

    A word weighs ``(1 + log count) log(sources / sources with it)`` (tf-idf; Salton and Buckley 1988).

    Args:
        excerpt: What of each source is compared, as the last turn of a dialogue; all of it if not given.
    """

    def __init__(self, excerpt: Excerpt | None = None) -> None:
        self.excerpt = excerpt
        self._targets: Sequence[str] = ()
        self._places: dict[str, np.ndarray] = {}
        self._weights: dict[str, np.ndarray] = {}
        self._inverse: dict[str, float] = {}

    def learn(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Weighs the words of the sources."""
        self._targets = targets
        counts = [self._counts(source) for source in sources]
        documents = Counter(word for each in counts for word in each)
        self._inverse = {word: math.log(len(counts) / number) for word, number in documents.items()}
        places: dict[str, list[int]] = defaultdict(list)
        weights: dict[str, list[float]] = defaultdict(list)
        for place, each in enumerate(counts):
            for word, weight in self._vector(each).items():
                places[word].append(place)
                weights[word].append(weight)
        self._places = {word: np.array(each) for word, each in places.items()}
        self._weights = {word: np.array(each) for word, each in weights.items()}

    def write(self, source: str) -> str:
        """See :meth:`Baseline.write`; of sources that are as near, the first one's."""
        cosines = np.zeros(len(self._targets))
        for word, weight in self._vector(self._counts(source)).items():
            if word in self._places:
                cosines[self._places[word]] += weight * self._weights[word]
        return self._targets[int(cosines.argmax())]

    def _counts(self, source: str) -> Counter[str]:
        return Counter(lowered_words(source if self.excerpt is None else self.excerpt.of(source)))

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        """Weights of length 1 over the words that training has."""
        raw = {word: (1 + math.log(count)) * self._inverse.get(word, 0.0) for word, count in counts.items()}
        length = math.sqrt(sum(weight**2 for weight in raw.values()))
        return {word: weight / length for word, weight in raw.items() if weight} if length else {}
