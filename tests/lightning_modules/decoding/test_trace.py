"""What is seen of one target: the steps, the decisions of a beam, and a source of which something is hidden."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.batch import EOS, SequenceBatch
from datamodules.errors import RunFailed, UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.hidden_source import HiddenSource
from lightning_modules.decoding.recorded import BeamRecord
from lightning_modules.decoding.sampling import SamplingSearch
from lightning_modules.decoding.search import Search
from lightning_modules.decoding.trace import trace
from lightning_modules.layers.attention import (
    AlignedAttention,
    AttentionFactory,
    LocalMonotonicAttention,
    LocalPredictiveAttention,
)
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import BahdanauDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.state import DecoderState, Memory
from tests.lightning_modules.decoding.tiny_search import TRANSFORMER, everything, known, sources, tiny_model

SOURCE, TARGET = [4, 5, 4], [5, 4]


@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, MultiStepDecoder, TRANSFORMER])
def test_the_steps_are_those_of_scoring_and_of_teacher_forcing(decoder: type, seed: int) -> None:
    model = tiny_model(seed, decoder)
    seen = trace(model, sources(SOURCE), TARGET)
    batch = SequenceBatch.from_pairs([SOURCE], [TARGET], torch.zeros(1))
    scores = model.score(batch)[0]
    chosen = seen.log_probabilities[torch.arange(3), torch.tensor([*TARGET, EOS])]
    torch.testing.assert_close(chosen, scores)
    with torch.no_grad():
        torch.testing.assert_close(seen.weights, model(batch)[1][0])
    assert len(seen.states) == 3
    begun = trace(model, sources(SOURCE), TARGET, ends=False)
    torch.testing.assert_close(begun.log_probabilities, seen.log_probabilities[:2])


def test_the_gate_of_copying_mixes_vocabulary_and_source(seed: int) -> None:
    model = tiny_model(seed, head=CopyVocabularyHead)
    batch = SequenceBatch.from_pairs([SOURCE], [TARGET], torch.zeros(1))
    with torch.no_grad():
        hidden, weights = model(batch)
        gate = model.output.generation(hidden)
        generated = model.output(hidden).softmax(dim=-1)
    found = trace(model, sources(SOURCE), TARGET).log_probabilities.exp()
    for step in range(3):
        mass = sum(weights[0, 0, step, place] for place, id_ in enumerate([*SOURCE, EOS]) if id_ == 4)
        expected = gate[step] * generated[step, 4] + (1 - gate[step]) * mass
        assert found[step, 4].item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"length_penalty": 0.0}, {"coverage_penalty": 0.4}])
def test_a_recorded_search_finds_the_same_and_its_steps_explain_it(options: dict[str, float], seed: int) -> None:
    model, plain = tiny_model(seed), BeamSearch(3, n_best=3, max_length=4, **options)  # type: ignore[arg-type]
    recorded = BeamRecord(plain)
    expected = model.translate(sources(SOURCE), plain)[0]
    found = model.translate(sources(SOURCE), recorded.search)[0]
    assert [(each.ids, each.score) for each in found] == [(each.ids, each.score) for each in expected]
    hypotheses, beams = [], [[]]
    for step in recorded.steps:
        ids = [[*beams[row], token] for row, token in zip(step.rows[0], step.tokens[0], strict=True)]
        ended = np.isfinite(step.scores[0]).nonzero()[0]
        assert all(step.tokens[0][place] == EOS for place in ended)
        hypotheses += [(ids[place][:-1], step.scores[0][place]) for place in ended]
        assert (np.diff(step.totals[0][np.isfinite(step.totals[0])]) <= 0).all(), "the best first"
        beams = [ids[place] for place in step.kept[0]]
    assert not recorded.steps[-1].goes_on[0]
    best = sorted(hypotheses, key=lambda each: -each[1])[:3]
    assert [ids for ids, _ in best] == [each.ids for each in expected]
    assert [score for _, score in best] == pytest.approx([each.score for each in expected])


def test_what_is_hidden_is_not_attended_to_and_no_one_else_notices(seed: int) -> None:
    model = tiny_model(seed)
    before = trace(model, sources(SOURCE), TARGET)
    hidden = trace(HiddenSource(model, [1]), sources(SOURCE), TARGET)
    assert (hidden.weights[:, :, 1] == 0).all()
    first = before.weights[:, 0].clone()
    first[:, 1] = 0
    torch.testing.assert_close(hidden.weights[:, 0], first / first.sum(dim=-1, keepdim=True))
    assert torch.equal(trace(model, sources(SOURCE), TARGET).weights, before.weights)
    with pytest.raises(UserError, match="every position of the source is hidden"):
        trace(HiddenSource(model, [0, 1, 2, 3]), sources(SOURCE), TARGET)


@pytest.mark.parametrize("search", [BeamSearch(3, max_length=6, min_length=6), GreedySearch(6, None, 6)])
@pytest.mark.parametrize(
    "attention",
    [partial(LocalMonotonicAttention, window=1), partial(LocalPredictiveAttention, window=1), AlignedAttention],
)
@pytest.mark.parametrize("hidden", [[0, 1, 2], [2, 3, 4]])
def test_a_search_goes_on_where_a_whole_window_is_hidden(
    search: Search, attention: AttentionFactory, hidden: list[int], seed: int
) -> None:
    model = tiny_model(seed, partial(LuongDecoder, attention=attention))
    with torch.inference_mode():
        (best,) = search(HiddenSource(model, hidden), sources([4, 5, 4, 5, 4, 5]))[0]
    assert len(best.ids) == 6
    assert np.isfinite(best.score)


@pytest.mark.parametrize(
    "search",
    [
        BeamSearch(3, max_length=6, min_length=6),
        GreedySearch(6, None, 6),
        SamplingSearch(max_length=6, min_length=6, top_p=0.9),
    ],
)
def test_probabilities_that_are_no_numbers_later_on_are_told(search: Search, seed: int) -> None:
    """A beam had no hypothesis, and greedy search one of the first token alone."""
    model = tiny_model(seed)

    class Spoilt(HiddenSource):
        steps = 0

        def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
            self.steps += 1
            found, weights, state = super().step(tokens, memory, state)
            return found if self.steps < 3 else found.fill_(torch.nan), weights, state

    with torch.inference_mode(), pytest.raises(RunFailed, match="the model's probabilities are NaN"):
        search(Spoilt(model, []), sources(SOURCE))


def test_a_search_over_the_hidden_source_is_that_of_its_steps(seed: int) -> None:
    model = HiddenSource(tiny_model(seed), [0])
    with torch.inference_mode():
        (best,) = BeamSearch(100, 0.0, 1, max_length=2, allow_unknown=True)(model, sources(SOURCE))[0]
    own = trace(model, sources(SOURCE), best.ids).log_probabilities
    told = own[torch.arange(len(best.ids) + 1), torch.tensor([*best.ids, EOS])].sum().item()
    assert told == pytest.approx(best.log_probability)
    assert known(everything(tiny_model(seed), SOURCE, 1)), "there is something to say"
