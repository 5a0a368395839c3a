"""The searches that follow each prefix to its end, without comparing it with others."""

from __future__ import annotations

from abc import abstractmethod
from itertools import count

import numpy as np
import torch
from torch import Tensor

from datamodules.batch import EOS, Padded
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.prefixes import Prefixes
from lightning_modules.decoding.search import MemoryT, Search, StateT, Steppable, kept_weights


class SinglePathSearch(Search):
    """Extends each prefix by one token at each step; a subclass says by which. The score is the log-probability.

    Attributes:
        samples: Hypotheses of each source.
    """

    samples: int = 1

    def _search(
        self, model: Steppable[MemoryT, StateT], source: Padded, with_attention: bool, prefixes: Padded | None
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each source; see :meth:`Search.__call__`."""
        memory, state = model.encode(source)
        rules, device = self._rules(model, source, prefixes), source.values.device
        rows = np.arange(len(source) * self.samples)
        sentences = rows // self.samples
        lengths = source.lengths.cpu().numpy()[sentences]
        if self.samples > 1:
            which = torch.as_tensor(sentences, device=device)
            memory, state, rules = memory.select(which), state.select(which), rules.select(sentences)
        paths = Prefixes.empty(len(rows))
        chosen = torch.as_tensor(paths.tokens[:, 0], device=device)
        found: dict[int, Hypothesis] = {}
        for length in count():
            log_probabilities, weights, state = model.step(chosen, memory, state)
            if length == 0:
                self._check(log_probabilities)
            truncated = rules.truncated(log_probabilities, paths.tokens[:, 1:])
            permitted = rules.permit(log_probabilities, paths.tokens[:, 1:])
            chosen = self._choose(permitted)
            tokens = chosen.cpu().numpy()
            totals = paths.log_probabilities + permitted.gather(1, chosen[:, None]).squeeze(1).cpu().numpy()
            self._check_totals(totals)
            paths = paths.extend(tokens, totals, kept_weights(weights) if with_attention else None)
            active = (tokens != EOS).nonzero()[0]
            if len(active) < len(tokens):
                ends = (tokens == EOS).nonzero()[0]
                ended = paths.select(ends)
                found.update(ended.hypotheses(ended.log_probabilities, lengths, with_attention, truncated[ends]))
                if not len(active):
                    break
                paths, rules = paths.select(active), rules.select(active)
                which = torch.as_tensor(active, device=device)
                memory, state, chosen = memory.select(which), state.select(which), chosen[which]
        return [
            [found[row] for row in range(first, first + self.samples)] for first in range(0, len(rows), self.samples)
        ]

    @abstractmethod
    def _choose(self, log_probabilities: Tensor) -> Tensor:
        """The next token of each prefix, ``(rows,)``.

        Args:
            log_probabilities: ``(rows, vocabulary)``, minus infinity where a token is forbidden.
        """
