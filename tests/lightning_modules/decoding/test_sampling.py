"""Ancestral sampling against the distribution that it draws from, counted up."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from datamodules.batch import EOS, UNK, Padded, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.sampling import SamplingSearch
from tests.lightning_modules.decoding.tiny_search import LIVE, Sayable, everything, sources, tiny_model

DRAWS, SOURCE = 4_000, [4, 5, 4]


def draw(search: SamplingSearch, seed: int) -> list[tuple[int, ...]]:
    torch.manual_seed(seed)
    return [tuple(each.ids) for each in tiny_model(seed).translate(sources(SOURCE), search)[0]]


def changed(distribution: dict[int, float], temperature: float, top_k: int, top_p: float) -> dict[int, float]:
    """The distribution of one token as the papers change it, with lists."""
    heated = {token: probability ** (1 / temperature) for token, probability in distribution.items()}
    ranked = sorted(heated, key=lambda token: -heated[token])[: top_k or None]
    total, kept, nucleus = sum(heated[token] for token in ranked), 0.0, []
    for token in ranked:
        if kept / total < top_p:
            nucleus.append(token)
            kept += heated[token]
    return {token: heated[token] / kept for token in nucleus}


def exact(said: dict[tuple[int, ...], Sayable], longest: int, **options: float) -> dict[tuple[int, ...], float]:
    """The probability that each target is drawn with."""
    drawn: dict[tuple[int, ...], float] = {}
    for ids in said:
        probability = 1.0
        for position, token in enumerate([*ids, EOS]):
            if position == longest:
                break  # only EOS may follow
            prefix = ids[:position]
            next_tokens = {EOS: said[prefix].tokens[-1]} | {
                other: said[(*prefix, other)].tokens[position] for other in range(LIVE) if (*prefix, other) in said
            }
            distribution = {each: math.exp(value) for each, value in next_tokens.items()}
            probability *= changed(distribution, **options).get(token, 0.0)
        drawn[ids] = probability
    return drawn


@pytest.mark.parametrize("allow_unknown", [False, True])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.5, 0, 1.0), (3.0, 0, 1.0), (1.0, 3, 1.0), (1.0, 0, 0.7), (2.0, 4, 0.8), (1.0, 0, 1e-9)],
)
def test_frequencies_are_those_of_the_distribution(
    temperature: float, top_k: int, top_p: float, allow_unknown: bool, seed: int
) -> None:
    """Pearson's chi-square over all targets of up to two tokens, rare ones together; one in 10^6 fails by chance."""
    sayable = everything(tiny_model(seed), SOURCE, longest=2)
    said = {each.ids: each for each in sayable if allow_unknown or UNK not in each.ids}
    expected = exact(said, 2, temperature=temperature, top_k=top_k, top_p=top_p)
    assert sum(expected.values()) == pytest.approx(1.0)
    search = SamplingSearch(DRAWS, temperature, top_k, top_p, max_length=2, allow_unknown=allow_unknown)
    seen = Counter(draw(search, seed))
    assert all(expected[ids] > 0 for ids in seen)
    cells = [(seen[ids], DRAWS * probability) for ids, probability in expected.items() if DRAWS * probability >= 5]
    rest = DRAWS - sum(count for _, count in cells)
    if rest >= 5:
        cells.append((DRAWS - sum(count for count, _ in cells), rest))
    freedom = len(cells) - 1
    if not freedom:
        assert seen[max(expected, key=lambda ids: expected[ids])] >= DRAWS - 5
        return
    statistic = sum((count - mean) ** 2 / mean for count, mean in cells)
    # Wilson and Hilferty's cube root makes it nearly normal.
    normal = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    assert normal < 4.75, (statistic, freedom)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_log_probabilities_are_the_models_own(temperature: float, seed: int) -> None:
    model = tiny_model(seed)
    (found,) = model.translate(sources(SOURCE), SamplingSearch(20, temperature, top_k=4, top_p=0.9, max_length=6))
    batch = SequenceBatch.from_pairs([SOURCE] * 20, [each.ids for each in found], torch.arange(20))
    torch.testing.assert_close(
        torch.tensor([each.log_probability for each in found], dtype=torch.float64), model.score(batch).sum(dim=1)
    )
    assert all(each.score == each.log_probability for each in found)


def test_the_generator_decides(seed: int) -> None:
    search = SamplingSearch(30, max_length=6)
    assert draw(search, seed) == draw(search, seed) != draw(search, seed + 1)
    torch.manual_seed(seed)
    model = tiny_model(seed)
    assert model.translate(sources(SOURCE), search) != model.translate(sources(SOURCE), search)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-30}, {"temperature": 1e-3}])
def test_a_distribution_of_one_token_is_greedy_search(options: dict[str, float], seed: int) -> None:
    model, given = tiny_model(seed).float(), sources([4, 5], [5, 4, 4, 5])
    drawn = model.translate(given, SamplingSearch(3, max_length=9, **options))
    greedy = model.translate(given, GreedySearch(max_length=9))
    assert [[each.ids for each in found] for found in drawn] == [[found[0].ids] * 3 for found in greedy]


def test_samples_of_several_sources_with_rules_and_attention(seed: int) -> None:
    model, given, forced = tiny_model(seed), [[4, 5], [5, 4, 4, 5], [5]], [[5], [], [4, 4]]
    search = SamplingSearch(7, temperature=5.0, max_length=9, min_length=2, no_repeat_ngram_size=1)
    found = model.translate(sources(*given), search, True, Padded.from_sequences(forced))
    for source, prefix, samples in zip(given, forced, found, strict=True):
        assert len(samples) == 7
        for each in samples:
            rest = each.ids[len(prefix) :]
            assert each.ids[: len(prefix)] == prefix
            assert len(set(rest) - set(prefix)) == len(rest)
            assert 2 <= len(each.ids) <= 9
            assert each.attention is not None
            assert each.attention.shape == (len(each.ids) + 1, len(source) + 1)
            torch.testing.assert_close(each.attention.sum(dim=1), torch.ones(len(each.ids) + 1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 0}, "samples is 0: give at least 1"),
        ({"temperature": 0.0}, r"temperature is 0\.0: give more than 0"),
        ({"temperature": -1.0}, r"temperature is -1\.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, r"top_p is 0\.0: give a probability above 0 and up to 1"),
        ({"top_p": 1.5}, r"top_p is 1\.5"),
        ({"max_length": 0}, "max_length is 0"),
    ],
)
def test_impossible_distributions_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SamplingSearch(**arguments)


def test_more_tokens_to_draw_from_than_there_are(seed: int) -> None:
    with pytest.raises(UserError, match="top_k is 161, but the target vocabulary has 160 tokens"):
        tiny_model(seed).translate(sources([4]), SamplingSearch(top_k=161))
