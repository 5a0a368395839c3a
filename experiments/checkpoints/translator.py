"""A checkpoint made ready to translate text: model and tokenizers, without config or data."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch

from datamodules.batch import BOS, EOS, Padded, SequenceBatch
from datamodules.corpora.corpus import FORBIDDEN
from datamodules.corpora.features import excerpt_of_lines
from datamodules.corpora.spelling import Spelling, spellings
from datamodules.errors import RunFailed, UserError
from datamodules.excerpts import Excerpt
from datamodules.tokenizers import Tokenizer
from experiments.checkpoints.translation import Translation
from experiments.processes.memory_errors import is_out_of_memory
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.constrained import constrained
from lightning_modules.decoding.ensemble import Ensemble, Member
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search, Steppable
from lightning_modules.decoding.shortlist import Shortlist, Shortlisted, restored, shortened
from lightning_modules.decoding.terms import Terms
from lightning_modules.kernels.packed_weights import PackedWeights, Precision
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

_AS_SPACE = str.maketrans(dict.fromkeys((*FORBIDDEN, "\n", "\r"), " "))


class BatchTooLarge(RunFailed):
    """The memory does not suffice for a batch.

    Attributes:
        positions: Where its lines stand among all, counted from 0.
    """

    def __init__(self, message: str, positions: Sequence[int]) -> None:
        super().__init__(message)
        self.positions = positions


@dataclass(frozen=True)
class Translator:
    """A trained model, or an ensemble of several, between two tokenizers.

    Several threads may share it: nothing changes while it works, but that the first search lays out weights for all.

    Attributes:
        members: The models, in evaluation mode on one device: one, or those of an ensemble.
        source_tokenizer: Reads the source.
        target_tokenizer: Writes the hypotheses; the same object where the vocabulary is joint.
        copies_unknown: Whether what the vocabulary lacks of a source has ids of its own there, and may be copied.
        excerpt: How much of a source is read; None for all of it.
        precision: In what a search makes its large products.
        shortlist: The target ids that a search looks at; None for all.
    """

    members: tuple[TokenEncoderDecoder, ...]
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    copies_unknown: bool = False
    excerpt: Excerpt | None = None
    precision: Precision = "float32"
    shortlist: Shortlist | None = None

    @property
    def model(self) -> Member:
        """What searches and scores: the model, or the ensemble."""
        return self.members[0] if len(self.members) == 1 else Ensemble(self.members)

    @cached_property
    def _packed_weights(self) -> PackedWeights:
        """The weights as searches multiply by them: laid out anew they would cost each sentence more time."""
        return PackedWeights(self.precision)

    @property
    def longest_source(self) -> int | None:
        """Tokens of the longest source in training, EOS not counted: of an ensemble, the least; None if not known."""
        return _least(member.longest_source for member in self.members)

    @property
    def longest_target(self) -> int | None:
        """Tokens of the longest target in training, EOS not counted: of an ensemble, the least; None if not known."""
        return _least(member.longest_target for member in self.members)

    def translate(self, lines: Sequence[str], search: Search | None = None, batch_size: int = 64) -> list[Translation]:
        """Translates lines, as ``seqlab translate`` does.

        Args:
            lines: Any number of them, in any order; an empty one stays empty.
            search: How; :meth:`beam_search` if not given.
            batch_size: Lines that are translated at once.

        Returns:
            For each line its best hypothesis.

        Raises:
            UserError: What is given is no list of lines, or the search does not fit the model.
            RunFailed: The memory does not suffice.
        """
        return [found[0] for found in self.hypotheses(lines, search, batch_size)]

    def hypotheses(
        self, lines: Sequence[str], search: Search | None = None, batch_size: int = 64
    ) -> list[list[Translation]]:
        """Translates lines, and keeps all that the search finds: ``hypotheses(lines, beam_search(n_best=3))``.

        Args:
            lines: As :meth:`translate` takes them.
            search: How; :meth:`beam_search` if not given.
            batch_size: Lines that are translated at once.

        Returns:
            For each line its hypotheses, best first; one without tokens for an empty line.

        Raises:
            UserError: As :meth:`translate`.
            RunFailed: As :meth:`translate`.
        """
        search = self.beam_search() if search is None else search
        search.check_vocabulary(self.target_tokenizer.vocabulary_size)
        texts = _texts(lines)
        sources = self._encoded(texts)
        found = self.search_sorted(sources, search, batch_size, with_attention=True)
        rows = [(line, each) for line, hypotheses in enumerate(found) for each in hypotheses]
        scores = self.score_sorted([sources[line] for line, _ in rows], [each.ids for _, each in rows], batch_size)
        told: list[list[Translation]] = [[] if source else [Translation.of_nothing()] for source in sources]
        for (line, hypothesis), row in zip(rows, scores, strict=True):
            told[line].append(self._translation(texts[line], sources[line], hypothesis, row))
        return told

    def beam_search(self, beam_size: int = 5, n_best: int = 1, length_penalty: float = 1.0) -> BeamSearch:
        """A beam search within the limits of the model's own test.

        Args:
            beam_size: Prefixes kept; 1 is greedy search.
            n_best: Hypotheses of each line.
            length_penalty: Larger values favour longer hypotheses.

        Raises:
            UserError: A value is out of range.
        """
        limits = self.members[0].test_search
        return BeamSearch(beam_size, length_penalty, n_best, limits.max_length, limits.max_ratio, limits.min_length)

    def greedy_search(self) -> GreedySearch:
        """Greedy search within the limits of the model's own test."""
        limits = self.members[0].test_search
        return GreedySearch(limits.max_length, limits.max_ratio, limits.min_length)

    def spellings(self, source: str) -> tuple[Spelling, Spelling]:
        """How a source and its targets are spelled: by the tokenizers, or with ids for what these lack of the source.

        Args:
            source: The sentence.
        """
        tokenizers = self.source_tokenizer, self.target_tokenizer
        return spellings(*tokenizers, self._read(source)) if self.copies_unknown else tokenizers

    def encode(self, sentence: str) -> list[int]:
        """The ids of a source sentence, or of the part of it that is read, closed by EOS."""
        return [*self.spellings(sentence)[0].encode(self._read(sentence)), EOS]

    @property
    def reading(self) -> Excerpt | None:
        """How much of a line is read, which may have features beside the source."""
        return excerpt_of_lines(self.excerpt, self.source_tokenizer)

    def _read(self, source: str) -> str:
        excerpt = self.reading
        return source if excerpt is None else excerpt.of(source)

    def text(self, hypothesis: Hypothesis, source: str) -> str:
        """A hypothesis in one line, whatever the training text had in it.

        Args:
            hypothesis: What a search found.
            source: The sentence that it was found for, as :meth:`encode` was given it.
        """
        return self.spellings(source)[1].decode(hypothesis.ids).replace("\n", " ")

    def search_sorted(
        self,
        sources: Sequence[list[int]],
        search: Search,
        batch_size: int,
        with_attention: bool = False,
        prefixes: Sequence[list[int]] | None = None,
        terms: Sequence[Sequence[list[int]]] | None = None,
    ) -> list[list[Hypothesis]]:
        """Searches in batches of similar length; what is the same is searched once, unless the search draws.

        Args:
            sources: From :meth:`encode`; an empty one is passed over.
            search: How.
            batch_size: Sources of a batch.
            with_attention: Also return what each hypothesis attended to.
            prefixes: For each source the target ids that its hypotheses begin with; None for nothing.
            terms: For each source the target ids of each phrase that its hypotheses have to have, which takes a beam
                search; None for nothing.

        Returns:
            For each source its hypotheses, best first; none for an empty one.

        Raises:
            BatchTooLarge: The memory does not suffice for a batch.
        """
        asked: dict[Hashable, list[int]] = {}
        for index, (source, *beside) in enumerate(zip(sources, prefixes or sources, terms or sources, strict=True)):
            same = index if search.draws else json.dumps([source, beside])
            asked.setdefault(same, []).append(index)
        alike = list(asked.values())
        found: list[list[Hypothesis]] = [[] for _ in sources]
        for places in _batches([len(sources[first]) for first, *_ in alike], batch_size):
            batch = [alike[place][0] for place in places]
            forced = None if prefixes is None else [prefixes[index] for index in batch]
            needed = None if terms is None else [terms[index] for index in batch]
            with _fitting(batch, max(len(sources[index]) for index in batch), batch_size):
                results = self.search_batch([sources[index] for index in batch], search, with_attention, forced, needed)
            for place, hypotheses in zip(places, results, strict=True):
                for index in alike[place]:
                    found[index] = hypotheses
        return found

    @torch.inference_mode()
    def search_batch(
        self,
        sources: Sequence[list[int]],
        search: Search,
        with_attention: bool = False,
        prefixes: Sequence[list[int]] | None = None,
        terms: Sequence[Sequence[list[int]]] | None = None,
    ) -> list[list[Hypothesis]]:
        """Searches in one batch.

        Args:
            sources: From :meth:`encode`, at least one.
            search: How.
            with_attention: Also return what each hypothesis attended to.
            prefixes: For each source the target ids that its hypotheses begin with; None for nothing.
            terms: As :meth:`search_sorted` takes them.

        Returns:
            For each source its hypotheses, best first; :meth:`text` writes them.
        """
        prefixes, terms = prefixes or [], terms or []
        if self.shortlist is None:
            return self._search(self.model, sources, search, with_attention, prefixes, terms)
        ids = self.shortlist.ids(sources, [*prefixes, *chain.from_iterable(terms)])
        members = [Shortlisted(member, ids) for member in self.members]
        places = shortened(ids, prefixes), [shortened(ids, each) for each in terms]
        model = members[0] if len(members) == 1 else Ensemble(members)
        return restored(ids, self._search(model, sources, search, with_attention, *places))

    def _search(
        self,
        model: Steppable[Any, Any],
        sources: Sequence[list[int]],
        search: Search,
        with_attention: bool,
        prefixes: Sequence[list[int]],
        terms: Sequence[Sequence[list[int]]],
    ) -> list[list[Hypothesis]]:
        forced = self._padded(prefixes) if any(prefixes) else None
        chosen = _constrained(search, terms) if any(terms) else search
        with self._packed_weights:
            return chosen(model, self._padded(sources), with_attention, forced)

    def score_sorted(
        self, sources: Sequence[list[int]], targets: Sequence[list[int]], batch_size: int
    ) -> list[list[float]]:
        """Scores given targets in batches of similar length.

        Args:
            sources: From :meth:`encode`; an empty one is passed over.
            targets: For each source the ids of its target, without EOS.
            batch_size: Pairs of a batch.

        Returns:
            For each target the log-probabilities of its tokens and of EOS; none where the source is empty.

        Raises:
            BatchTooLarge: The memory does not suffice for a batch.
        """
        scores: list[list[float]] = [[] for _ in sources]
        lengths = [(len(target), len(source)) if source else 0 for source, target in zip(sources, targets, strict=True)]
        for batch in _batches(lengths, batch_size):
            longest = max(max(len(sources[index]), len(targets[index])) for index in batch)
            with _fitting(batch, longest, batch_size):
                found = self.score([sources[index] for index in batch], [targets[index] for index in batch])
            for index, row in zip(batch, found, strict=True):
                scores[index] = row
        return scores

    @torch.inference_mode()
    def score(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """Scores given targets, one batch.

        Args:
            sources: From :meth:`encode`, at least one.
            targets: For each source the ids of its target, without EOS.

        Returns:
            For each target the log-probabilities of its tokens and of EOS, under teacher forcing.
        """
        closed = self._padded([[BOS, *target, EOS] for target in targets])
        batch = SequenceBatch(self._padded(sources), closed, torch.arange(len(sources)))
        scores = self.model.score(batch).tolist()
        return [row[: len(target) + 1] for row, target in zip(scores, targets, strict=True)]

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each line; none of an empty one."""
        sources = []
        for number, text in enumerate(texts, start=1):
            try:
                sources.append(self.encode(text) if text.strip() else [])
            except UserError as error:
                raise UserError(f"line {number}: {error}") from error
        return sources

    def _translation(
        self, text: str, source: list[int], hypothesis: Hypothesis, log_probabilities: list[float]
    ) -> Translation:
        heads = hypothesis.heads
        of_source, of_target = self.spellings(text)
        return Translation(
            self.text(hypothesis, text),
            hypothesis.score,
            hypothesis.log_probability,
            tuple(of_target.pieces([*hypothesis.ids, EOS])),
            np.exp(np.array(log_probabilities, dtype=np.float64)),
            tuple(of_source.pieces(source)),
            None if heads is None else heads.float().cpu().numpy(),
        )

    def _padded(self, sequences: Sequence[list[int]]) -> Padded:
        return Padded.from_sequences(sequences).to(self.members[0].device)


def _texts(lines: Sequence[str]) -> list[str]:
    """The text of each line, read as the command reads it."""
    if isinstance(lines, str):
        raise UserError(f"translate takes a list of lines: give [{lines!r:.80}] for one")
    texts = []
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, str):
            raise UserError(f"line {number} is a {type(line).__name__}: translate takes a list of strings")
        if any("\ud800" <= character <= "\udfff" for character in line):
            raise UserError(f"line {number} holds half of a surrogate pair, which is no text: decode it anew")
        texts.append(one_line(line))
    return texts


def one_line(text: str) -> str:
    """A text as one line, read as ``seqlab translate`` reads it: what no line has within it is a space.

    Args:
        text: Any text.
    """
    return text.rstrip("\r\n").translate(_AS_SPACE)


def _constrained(search: Search, terms: Sequence[Sequence[list[int]]]) -> Search:
    """A search of one batch for hypotheses with the phrases of their sources."""
    if type(search) is not BeamSearch:
        raise UserError(f"terms need BeamSearch, but the search is {type(search).__name__}")
    return constrained(search, [Terms(each) for each in terms])


def _batches(lengths: Sequence[int | tuple[int, int]], batch_size: int) -> Iterator[list[int]]:
    """Positions in batches of similar length, the shortest first; those of length 0 are passed over."""
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}: give at least 1")
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: lengths[index])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


@contextmanager
def _fitting(batch: Sequence[int], longest: int, batch_size: int) -> Iterator[None]:
    """Names the batch that the memory does not suffice for."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise BatchTooLarge(
            f"out of memory on {len(batch):,} lines at once, the longest of {longest:,} tokens: lower batch_size, "
            f"which is {batch_size}, or split long lines",
            batch,
        ) from error


def _least(lengths: Iterable[int | None]) -> int | None:
    return min((length for length in lengths if length is not None), default=None)
