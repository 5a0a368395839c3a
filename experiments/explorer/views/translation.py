"""What is seen of one sentence: pieces, hypotheses, attention, steps, and the beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from datamodules.batch import EOS, UNK, Padded
from datamodules.errors import UserError
from experiments.checkpoints.translator import Translator, one_line
from experiments.explorer.interruptible import Interruptible
from experiments.explorer.look import MOST_TOKENS, Look
from experiments.explorer.numbers import numbers
from experiments.explorer.views.attention import attention_told, decoder_outputs
from experiments.explorer.views.tree import beam_tree, greedy_tree
from experiments.explorer.worker import Ticket
from experiments.figures.temperature import entropy_of
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.hidden_source import HiddenSource
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.recorded import BeamRecord
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Steppable
from lightning_modules.decoding.trace import Trace, trace
from lightning_modules.layers.attention.altered import tempered
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.state import DecoderState, Memory
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

CONTINUATIONS = 10
"""Tokens that are shown of each step, beside the one that was taken."""


@dataclass(frozen=True)
class Sentence:
    """A source as the model gets it.

    Attributes:
        ids: All its ids, closed by EOS.
        read: Positions of those that the model gets.
        source: ``(1, columns)``, these, with padding behind them.
    """

    ids: list[int]
    read: list[int]
    source: Padded

    @property
    def columns(self) -> list[int]:
        """Where the columns of the source stand among all positions and the padding behind them."""
        return [*self.read, *range(len(self.ids), self.total)]

    @property
    def total(self) -> int:
        """Number of positions, with the padding."""
        return len(self.ids) + self.source.values.shape[1] - len(self.read)


@dataclass(frozen=True)
class Found:
    """What a search found for a sentence.

    Attributes:
        sentence: The source.
        model: What was searched.
        hypotheses: The best first.
        number: Which of them is looked at.
        recorded: The search, with its steps; None of sampling.
    """

    sentence: Sentence
    model: Steppable[Memory, DecoderState]
    hypotheses: list[Hypothesis]
    number: int
    recorded: BeamRecord | None

    @property
    def chosen(self) -> Hypothesis:
        """The hypothesis that is looked at."""
        return self.hypotheses[self.number]


@dataclass(frozen=True)
class TranslationView:
    """Looks at sentences with one translator.

    Attributes:
        translator: Of one checkpoint.
    """

    translator: Translator

    @torch.inference_mode()
    def look(self, asked: Look, ticket: Ticket) -> dict[str, Any]:
        """Searches, and looks at one of the hypotheses.

        Args:
            asked: The sentence, and how.
            ticket: Ends the computation when nobody waits for it.

        Returns:
            Plain values; docs/explorer.md describes them.

        Raises:
            UserError: The sentence is too long, or what is asked of it does not go.
        """
        found = self.find(asked, ticket)
        seen = trace(found.model, found.sentence.source, found.chosen.ids)
        return {
            "source": self._source(asked, found.sentence),
            "hypotheses": [self._hypothesis(asked, each) for each in found.hypotheses],
            "chosen": found.number,
            "end": EOS,
            "steps": self._steps(asked, found.chosen, seen),
            "attention": attention_told(self.model(asked), found.sentence.columns, found.sentence.total, seen),
            "gate": self._gate(self.model(asked), seen, found.chosen.ids),
            "tree": self._tree(asked, found, seen),
        }

    @torch.inference_mode()
    def find(self, asked: Look, ticket: Ticket) -> Found:
        """Searches; see :meth:`look`."""
        sentence, search = self.sentence(asked), self.search(asked)
        model = self.steppable(asked, sentence, ticket)
        prefixes = None
        if asked.prefix:
            self._check_prefix(asked)
            prefixes = Padded.from_sequences([list(asked.prefix)]).to(sentence.source.values.device)
        recorded = BeamRecord(search) if isinstance(search, BeamSearch) else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(asked.seed)
            (hypotheses,) = (recorded.search if recorded else search)(model, sentence.source, False, prefixes)
        return Found(sentence, model, hypotheses, min(asked.chosen, len(hypotheses) - 1), recorded)

    def sentence(self, asked: Look) -> Sentence:
        """The source as ids, and what of it the model gets.

        Raises:
            UserError: It is too long, or nothing is left of it.
        """
        ids = self.translator.encode(one_line(asked.source))
        if len(ids) > MOST_TOKENS:
            raise UserError(f"the source has {len(ids):,} tokens: give at most {MOST_TOKENS}")
        for name, places in (("left_out", asked.left_out), ("hidden", asked.hidden)):
            if places and max(places) >= len(ids):
                raise UserError(f"{name} has {max(places)}, but the source has the positions 0 to {len(ids) - 1}")
        read = [place for place in range(len(ids)) if place not in asked.left_out]
        if not read:
            raise UserError("every position of the source is left out: keep at least one")
        values = torch.tensor([[ids[place] for place in read] + [0] * asked.padding])
        device = self.translator.members[0].device
        return Sentence(ids, read, Padded(values, torch.tensor([len(read)])).to(device))

    def model(self, asked: Look) -> TokenEncoderDecoder:
        """The model at the temperature that is asked for."""
        return tempered(self.translator.members[0], asked.attention_temperature)

    def steppable(self, asked: Look, sentence: Sentence, ticket: Ticket) -> Steppable[Memory, DecoderState]:
        """The model as it is searched: what is asked to be hidden is, and it ends when nobody waits."""
        watched = Interruptible(self.model(asked), ticket)
        hidden = [column for column, place in enumerate(sentence.read) if place in asked.hidden]
        return HiddenSource(watched, hidden) if hidden else watched

    def search(self, asked: Look) -> BeamSearch | SamplingSearch:
        """The search that is asked for, within the limits of the model's own test.

        Raises:
            UserError: It does not fit the vocabulary.
        """
        limits = self.translator.members[0].test_search
        lengths = (limits.max_length, limits.max_ratio, limits.min_length)
        if asked.length is not None:
            lengths = (asked.length, None, asked.length)
        search: BeamSearch | SamplingSearch
        if asked.how == "sampling":
            search = SamplingSearch(asked.n_best, asked.temperature, asked.top_k, asked.top_p, *lengths)
        else:
            n_best = min(asked.n_best, asked.beam_size)
            search = BeamSearch(
                asked.beam_size, asked.length_penalty, n_best, *lengths, coverage_penalty=asked.coverage_penalty
            )
        search.check_vocabulary(self.translator.target_tokenizer.vocabulary_size)
        return search

    def _check_prefix(self, asked: Look) -> None:
        size = self.translator.spellings(one_line(asked.source))[1].vocabulary_size
        if wrong := [token for token in asked.prefix if token >= size or token == EOS]:
            raise UserError(f"prefix has the id {wrong[0]}: give target ids below {size:,}, none of them the end's")

    def _source(self, asked: Look, sentence: Sentence) -> dict[str, Any]:
        tokenizer = self.translator.spellings(one_line(asked.source))[0]
        unread = [place for place in range(len(sentence.ids)) if place not in sentence.read]
        return {
            "text": asked.source,
            "ids": sentence.ids,
            "pieces": tokenizer.pieces(sentence.ids),
            "left_out": unread,
            "hidden": [place for place in sentence.read if place in asked.hidden],
            "padding": asked.padding,
        }

    def _hypothesis(self, asked: Look, hypothesis: Hypothesis) -> dict[str, Any]:
        line = one_line(asked.source)
        return {
            "text": self.translator.text(hypothesis, line),
            "ids": hypothesis.ids,
            "pieces": self.translator.spellings(line)[1].pieces([*hypothesis.ids, EOS]),
            "score": numbers(hypothesis.score),
            "log_probability": numbers(hypothesis.log_probability),
            "truncated": hypothesis.truncated,
        }

    def _steps(self, asked: Look, chosen: Hypothesis, seen: Trace[Memory, DecoderState]) -> list[dict[str, Any]]:
        spelling = self.translator.spellings(one_line(asked.source))[1]
        ids = [*chosen.ids, EOS]
        probabilities = seen.log_probabilities.exp()
        sampled = self._drawn(asked, seen.log_probabilities)
        entropies = entropy_of(probabilities.double().cpu().numpy())
        written = torch.tensor(ids, device=seen.log_probabilities.device)[:, None]
        ranks = (seen.log_probabilities > seen.log_probabilities.gather(1, written)).sum(dim=1) + 1
        best = seen.log_probabilities.topk(min(CONTINUATIONS, seen.log_probabilities.shape[1]), dim=1).indices.tolist()
        told = []
        for step, (token, piece) in enumerate(zip(ids, spelling.pieces(ids), strict=True)):
            tokens = best[step] if token in best[step] else [*best[step], token]
            told.append(
                {
                    "token": token,
                    "piece": piece,
                    "log_probability": numbers(seen.log_probabilities[step, token]),
                    "rank": int(ranks[step]),
                    "entropy": numbers(float(entropies[step])),
                    "forced": step < len(asked.prefix),
                    "tokens": tokens,
                    "pieces": spelling.pieces(tokens),
                    "probabilities": numbers(probabilities[step, tokens]),
                    "sampled": numbers(sampled[step, tokens]),
                }
            )
        return told

    def _drawn(self, asked: Look, log_probabilities: Tensor) -> Tensor:
        """What sampling would draw from at each step, ``(t, vocabulary)``; it draws no unknown token."""
        known = log_probabilities.index_fill(1, torch.tensor([UNK], device=log_probabilities.device), -torch.inf)
        top_k = min(asked.top_k, known.shape[1])
        return SamplingSearch(1, asked.temperature, top_k, asked.top_p).distribution(known)

    def _gate(
        self, model: TokenEncoderDecoder, seen: Trace[Memory, DecoderState], ids: Sequence[int]
    ) -> list[float] | None:
        if not isinstance(model.output, CopyVocabularyHead):
            return None
        return numbers(model.output.generation(decoder_outputs(model, seen, ids)))  # type: ignore[return-value]  # a row

    def _tree(self, asked: Look, found: Found, seen: Trace[Memory, DecoderState]) -> list[dict[str, Any]] | None:
        if found.recorded is None:
            return None
        pieces = self.translator.spellings(one_line(asked.source))[1].pieces
        if found.recorded.steps:
            return beam_tree(found.recorded.steps, found.recorded.search, pieces)
        return greedy_tree(seen.log_probabilities, found.chosen.ids, found.recorded.search, pieces)
