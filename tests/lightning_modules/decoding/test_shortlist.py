"""A search over some of the target ids, against the same search in which the others are impossible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.batch import SPECIAL_PIECES
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.diverse import DiverseBeamSearch
from lightning_modules.decoding.ensemble import Ensemble
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.search import Search
from lightning_modules.decoding.shortlist import Shortlist, Shortlisted, restored, shortened
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.state import DecoderState, Memory
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.tiny_search import LIVE, TRANSFORMER, VOCABULARY, sources, tiny_model

GIVEN = [[4, 5, 4], [5], [4, 4, 5, 5]]
IDS = np.array([*range(LIVE), 9, 40, 41, 87, 159])


def all_live(model: TokenEncoderDecoder) -> TokenEncoderDecoder:
    """Every id has a probability."""
    with torch.no_grad():
        model.output.bias.normal_()
    return model


class Masked:
    """A model to which other ids are impossible; their probability is shared among the rest."""

    def __init__(self, model: TokenEncoderDecoder, ids: np.ndarray) -> None:
        self.encode, self.length_limits, self.model = model.encode, model.length_limits, model
        self.others = torch.ones(VOCABULARY, dtype=torch.bool)
        self.others[torch.as_tensor(ids)] = False

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        found, weights, state = self.model.step(tokens, memory, state)
        return found.masked_fill(self.others, -torch.inf).log_softmax(dim=1), weights, state


SEARCHES = [
    GreedySearch(max_length=6),
    BeamSearch(4, n_best=3, max_length=6),
    BeamSearch(3, max_length=6, no_repeat_ngram_size=1, min_length=2, coverage_penalty=0.3),
    DiverseBeamSearch(4, n_best=2, groups=2, max_length=6),
]


@pytest.mark.parametrize("search", SEARCHES)
@torch.inference_mode()
def test_it_is_the_search_in_which_other_ids_are_impossible(search: Search, seed: int) -> None:
    model = all_live(tiny_model(seed))
    wanted = search(Masked(model, IDS), sources(*GIVEN), with_attention=True)
    found = restored(IDS, search(Shortlisted(model, IDS), sources(*GIVEN), with_attention=True))
    for own, theirs in zip(found, wanted, strict=True):
        assert [each.ids for each in own] == [each.ids for each in theirs]
        for one, other in zip(own, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-9)
            assert one.heads is not None
            assert other.heads is not None
            torch.testing.assert_close(one.heads, other.heads)


@torch.inference_mode()
def test_of_all_ids_it_is_the_plain_search(seed: int) -> None:
    models = [all_live(tiny_model(seed + place, decoder)) for place, decoder in enumerate([TRANSFORMER, TRANSFORMER])]
    search, ids = BeamSearch(5, n_best=2, max_length=6), np.arange(VOCABULARY)
    plain = search(Ensemble(models), sources(*GIVEN))
    short = restored(ids, search(Ensemble([Shortlisted(model, ids) for model in models]), sources(*GIVEN)))
    assert [[replace(each, score=0, log_probability=0) for each in row] for row in plain] == [
        [replace(each, score=0, log_probability=0) for each in row] for row in short
    ]


@torch.inference_mode()
def test_beginnings_are_places_among_the_ids(seed: int) -> None:
    model = all_live(tiny_model(seed))
    prefixes = [[87], [], [159, 9]]
    forced = sources(*GIVEN).from_sequences(shortened(IDS, prefixes))
    found = restored(IDS, BeamSearch(3, max_length=6)(Shortlisted(model, IDS), sources(*GIVEN), prefixes=forced))
    assert [best.ids[: len(prefix)] for (best, *_), prefix in zip(found, prefixes, strict=True)] == prefixes


def test_what_is_learned_are_the_targets_with_most_weight() -> None:
    sources, targets = np.array([4, 4, 4, 6, 6]), np.array([7, 8, 9, 9, 5])
    shortlist = Shortlist.learned((sources, targets, np.array([0.5, 3.0, 1.0, 4.0, 2.0])), 8, best=2, frequent=1)
    assert shortlist.frequent.tolist() == [9]
    reserved = list(range(len(SPECIAL_PIECES)))
    assert shortlist.ids([[4]]).tolist() == [*reserved, 8, 9]
    assert shortlist.ids([[6, 4, 6], [7]]).tolist() == [*reserved, 5, 8, 9]
    assert shortlist.ids([[5, 2]], [[6], [5, 6]]).tolist() == [*reserved, 5, 6, 9]


def test_a_head_that_copies_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match="a shortlist is for models that do not copy, but this one has a CopyVocab"):
        Shortlisted(tiny_model(seed, head=CopyVocabularyHead), IDS)
