"""The searches against enumeration of everything that a small model can say."""

import itertools

import pytest
import torch

from datamodules.batch import EOS, Padded, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.encoder_decoder import EncoderDecoder
from lightning_modules.layers.decoder import BahdanauDecoder, LuongDecoder, MultiStepDecoder
from lightning_modules.layers.encoder import RecurrentEncoder

VOCABULARY, LONGEST = 6, 3


def tiny_model(seed: int, decoder: type = LuongDecoder) -> EncoderDecoder:
    """A random model over six ids, its distributions sharp enough to differ."""
    torch.manual_seed(seed)
    model = EncoderDecoder(
        VOCABULARY,
        VOCABULARY,
        encoder=lambda size: RecurrentEncoder(size, hidden_size=4),
        decoder=lambda embedding, memory: decoder(embedding, memory, hidden_size=5),
        embedding_size=3,
    ).double()
    with torch.no_grad():
        model.output.weight.mul_(3.0)
        model.output.bias.normal_()
    return model.eval()


def sources(*sequences: list[int]) -> Padded:
    return Padded.from_sequences([[*sequence, EOS] for sequence in sequences])


@torch.no_grad()
def everything(model: EncoderDecoder, source: list[int], penalty: float) -> list[tuple[float, float, tuple[int, ...]]]:
    """All hypotheses of up to three tokens under teacher forcing, best first: (score, log-probability, ids)."""
    tokens = [token for token in range(VOCABULARY) if token != EOS]
    targets = [ids for length in range(LONGEST + 1) for ids in itertools.product(tokens, repeat=length)]
    batch = SequenceBatch.from_pairs([source] * len(targets), targets, torch.zeros(len(targets)))
    hidden, _ = model(batch)
    output = batch.target_output
    chosen = model.output(hidden).log_softmax(-1).gather(1, output.values[output.mask][:, None]).squeeze(1)
    totals = [part.sum().item() for part in chosen.split(output.lengths.tolist())]
    found = [(total / ((6 + len(ids)) / 6) ** penalty, total, ids) for total, ids in zip(totals, targets, strict=True)]
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, MultiStepDecoder])
def test_a_wide_beam_finds_what_enumeration_finds(decoder: type, penalty: float, seed: int) -> None:
    model = tiny_model(seed, decoder)
    wide = BeamSearch(beam_size=600, length_penalty=penalty, n_best=10, max_length=LONGEST, max_ratio=None)
    given = [[4, 5, 4], [5]]
    for source, found in zip(given, model.translate(sources(*given), wide), strict=True):
        expected = everything(model, source, penalty)[:10]
        assert [tuple(hypothesis.ids) for hypothesis in found] == [ids for _, _, ids in expected]
        for hypothesis, (score, total, _) in zip(found, expected, strict=True):
            assert hypothesis.score == pytest.approx(score, abs=1e-9)
            assert hypothesis.log_probability == pytest.approx(total, abs=1e-9)


def test_beam_of_one_equals_greedy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    given = [torch.randint(4, VOCABULARY, (length,), generator=generator).tolist() for length in range(1, 9)]
    model = tiny_model(seed)
    greedy = model.translate(sources(*given), GreedySearch(max_length=12), with_attention=True)
    beam = model.translate(sources(*given), BeamSearch(beam_size=1, max_length=12), with_attention=True)
    for (one,), (other,) in zip(greedy, beam, strict=True):
        assert one.ids == other.ids
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-9)
        assert one.attention is not None
        assert other.attention is not None
        torch.testing.assert_close(one.attention, other.attention)


@pytest.mark.parametrize("search", [GreedySearch(max_length=12), BeamSearch(3, n_best=3, max_length=12)])
def test_a_sentence_alone_and_in_a_batch(search: GreedySearch | BeamSearch, seed: int) -> None:
    model = tiny_model(seed)
    given = [[4, 5, 4, 4, 5, 5], [5], [4, 4, 5]]
    together = model.translate(sources(*given), search, with_attention=True)
    for source, found in zip(given, together, strict=True):
        (alone,) = model.translate(sources(source), search, with_attention=True)
        assert [h.ids for h in found] == [h.ids for h in alone]
        for one, other in zip(found, alone, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-10)
            assert one.attention is not None
            assert one.attention.shape == (len(one.ids) + 1, len(source) + 1)
            torch.testing.assert_close(one.attention, other.attention, rtol=0, atol=1e-10)


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_attention_is_that_of_teacher_forcing_on_the_hypothesis(search: type, seed: int) -> None:
    model = tiny_model(seed, MultiStepDecoder)
    ((best, *_),) = model.translate(sources([4, 5, 5]), search(max_length=6), with_attention=True)
    with torch.no_grad():
        _, weights = model(SequenceBatch.from_pairs([[4, 5, 5]], [best.ids], torch.zeros(1)))
    torch.testing.assert_close(best.attention, weights[0].mean(dim=0))


@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
def test_lengths_are_kept(search: type, seed: int) -> None:
    model = tiny_model(seed)
    given = sources([4, 5], [5, 5, 5, 4])
    for minimum, maximum in [(0, 1), (3, 3), (4, 7)]:
        found = model.translate(given, search(min_length=minimum, max_length=maximum, max_ratio=None))
        assert all(minimum <= len(h.ids) <= maximum for each in found for h in each)
    long = model.translate(given, search(min_length=15, max_ratio=0.1))
    assert all(len(h.ids) == 15 for each in long for h in each), "min_length wins over the ratio"
    short = model.translate(given, search(min_length=0, max_length=100, max_ratio=0.01))
    assert all(len(h.ids) <= 10 for each in short for h in each)


def test_n_best_are_distinct_and_sorted(seed: int) -> None:
    (found,) = tiny_model(seed).translate(sources([4, 5, 4]), BeamSearch(5, n_best=5, max_length=8))
    assert len({tuple(h.ids) for h in found}) == len(found) == 5
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_greedy_follows_the_most_probable_token(seed: int) -> None:
    model = tiny_model(seed)
    ((found,),) = model.translate(sources([5, 4]), GreedySearch(max_length=10))
    total = 0.0
    for length, token in enumerate([*found.ids, EOS]):
        with torch.no_grad():
            hidden, _ = model(SequenceBatch.from_pairs([[5, 4]], [found.ids[:length]], torch.zeros(1)))
            step = model.output(hidden)[-1].log_softmax(-1)
        if length < 10:
            assert step.argmax().item() == token
        total += step[token].item()
    assert found.log_probability == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beam_size": 0}, "beam_size is 0: give at least 1"),
        ({"beam_size": 2, "n_best": 3}, "n_best is 3: give 1 to beam_size, which is 2"),
        ({"n_best": 0}, "n_best is 0"),
        ({"length_penalty": -1.0}, "length_penalty is -1.0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"min_length": 5, "max_length": 4}, "min_length is 5"),
        ({"max_ratio": 0.0}, "max_ratio is 0.0"),
    ],
)
def test_impossible_searches_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BeamSearch(**arguments)  # type: ignore[arg-type]
