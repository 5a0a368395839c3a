"""An ensemble against probabilities averaged by hand."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules.batch import Padded, SequenceBatch
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.ensemble import Ensemble
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Search
from lightning_modules.layers.attention import NoAttention
from lightning_modules.layers.decoder import BahdanauDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.lightning_modules.decoding.tiny_search import (
    LONGEST,
    TRANSFORMER,
    VOCABULARY,
    everything,
    sources,
    tiny_model,
)

GIVEN = [[4, 5, 4], [5]]


def without_attention(embedding_size: int, memory_size: int, hidden_size: int) -> LuongDecoder:
    return LuongDecoder(embedding_size, memory_size, NoAttention, hidden_size=hidden_size)


def unlike(seed: int) -> list[TokenEncoderDecoder]:
    """Models of other shapes, states and attentions over one vocabulary."""
    return [
        tiny_model(seed, MultiStepDecoder),
        tiny_model(seed + 1, BahdanauDecoder, hidden_size=7),
        tiny_model(seed + 2, without_attention),
        tiny_model(seed + 3, TRANSFORMER),
    ]


@torch.no_grad()
def test_a_wide_beam_finds_the_best_by_averaged_probabilities(seed: int) -> None:
    members = unlike(seed)
    search = BeamSearch(VOCABULARY, 1.0, n_best=10, max_length=LONGEST, max_ratio=None, allow_unknown=True)
    for source, found in zip(GIVEN, search(Ensemble(members), sources(*GIVEN)), strict=True):
        averaged = []
        for said in zip(*(everything(member, source) for member in members), strict=True):
            tokens = zip(*(each.tokens for each in said), strict=True)
            total = sum(math.log(sum(map(math.exp, each)) / len(members)) for each in tokens)
            averaged.append((total / ((6 + len(said[0].ids)) / 6), total, said[0].ids))
        averaged.sort(reverse=True)
        assert [tuple(each.ids) for each in found] == [ids for _, _, ids in averaged[:10]]
        for hypothesis, (score, total, _) in zip(found, averaged, strict=False):
            assert hypothesis.score == pytest.approx(score, abs=1e-9)
            assert hypothesis.log_probability == pytest.approx(total, abs=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(
    "search",
    [GreedySearch(9), BeamSearch(4, n_best=4, max_length=9, coverage_penalty=0.3), SamplingSearch(5, max_length=9)],
)
def test_scores_and_attention_of_its_hypotheses(search: Search, seed: int) -> None:
    """The attention is the mean over the heads of all members; two have two heads, one has none."""
    members = unlike(seed)
    forced = Padded.from_sequences([[5, 5], []])
    for source, found in zip(GIVEN, search(Ensemble(members), sources(*GIVEN), True, forced), strict=True):
        batch = SequenceBatch.from_pairs([source] * len(found), [each.ids for each in found], torch.zeros(len(found)))
        scores = Ensemble(members).score(batch)
        heads = torch.cat([member(batch)[1] for member in members], dim=1)
        assert heads.shape[1] == 5
        assert (scores[~batch.target_output.mask] == 0).all()
        for row, each in enumerate(found):
            assert each.log_probability == pytest.approx(scores[row].sum().item(), abs=1e-9)
            assert each.attention is not None
            torch.testing.assert_close(each.heads, heads[row, :, : len(each.ids) + 1])
            torch.testing.assert_close(each.attention, heads[row, :, : len(each.ids) + 1].mean(dim=0))


@torch.no_grad()
def test_equal_members_are_one_model(seed: int) -> None:
    model, search = tiny_model(seed), BeamSearch(3, n_best=3, max_length=9)
    for members in ([model], [model] * 3):
        for one, other in zip(search(Ensemble(members), sources(*GIVEN)), search(model, sources(*GIVEN)), strict=True):
            assert [each.ids for each in one] == [each.ids for each in other]
            assert [each.score for each in one] == pytest.approx([each.score for each in other])
