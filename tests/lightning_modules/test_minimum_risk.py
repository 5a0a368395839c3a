"""Minimum risk training: costs against sacreBLEU, the expected cost and its gradient by hand, and that it falls."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from sacrebleu.metrics import BLEU
from torch import Tensor

from datamodules.batch import EOS, Padded, SequenceBatch
from datamodules.errors import UserError
from experiments.cli import main
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.heads import VocabularyHead
from lightning_modules.minimum_risk import ExactMatchCost, MinimumRisk, SentenceBLEUCost
from lightning_modules.token_encoder_decoder import HeadFactory, TokenEncoderDecoder
from tests.experiments.metrics_table import values
from tests.experiments.tiny_task import write_tiny_task

SOURCES, TARGETS = [[4, 5, 6], [7, 8]], [[6, 5, 4], [8, 7]]


def model(seed: int, risk: MinimumRisk, head: HeadFactory = VocabularyHead) -> TokenEncoderDecoder:
    torch.manual_seed(seed)
    return TokenEncoderDecoder(
        9,
        9,
        encoder=partial(RecurrentEncoder, hidden_size=5),
        decoder=partial(LuongDecoder, hidden_size=8),
        head=head,
        embedding_size=6,
        risk=risk,
        longest_target=4,
        longest_ratio=1.5,
    ).double()


def batch() -> SequenceBatch:
    return SequenceBatch.from_pairs(SOURCES, TARGETS, torch.arange(2))


def test_costs_are_those_of_sacrebleu(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    bleu = BLEU(smooth_method="add-k", smooth_value=1, tokenize="none", effective_order=False)
    cost = SentenceBLEUCost()
    for _ in range(200):
        lengths = torch.randint(4, 12, (2,), generator=generator).tolist()
        one, other = (torch.randint(4, 9, (length,), generator=generator).tolist() for length in lengths)
        told = bleu.sentence_score(" ".join(map(str, one)), [" ".join(map(str, other))]).score / 100
        assert cost(one, other) == pytest.approx(1 - told, abs=1e-9)
    for same in ([4], [4, 5], [4, 5, 6, 7, 8]):
        assert cost(same, same) == pytest.approx(0, abs=1e-12)
        assert ExactMatchCost()(same, same) == 0
    assert cost([], []) == 0
    assert cost([], [4]) == cost([4], []) == cost([5], [4]) == ExactMatchCost()([5], [4]) == 1


def rows(padded: Padded) -> list[list[int]]:
    """Without padding."""
    return [row[:length] for row, length in zip(padded.values.tolist(), padded.lengths.tolist(), strict=True)]


class Drawn:
    """A model whose samples are known."""

    def translate(self, source: Padded, search: Search) -> list[list[Hypothesis]]:
        assert len(source.values) == 2
        return [[Hypothesis(ids, 0.0, 0.0) for ids in drawn] for drawn in ([[6, 5, 4], [6], [6]], [[], [7, 8]])]


def test_candidates_are_those_drawn_and_the_gold_target_each_once() -> None:
    found = MinimumRisk(ExactMatchCost(), samples=3).candidates(Drawn(), batch())
    assert [row[1:-1] for row in rows(found.target)] == [[6, 5, 4], [6], [8, 7], [], [7, 8]]
    assert found.owner.tolist() == [0, 0, 1, 1, 1]
    assert found.costs.tolist() == [0, 1, 0, 1, 1]
    assert rows(found.source) == [[*SOURCES[place], EOS] for place in (0, 0, 1, 1, 1)]


def gold_probabilities(net: TokenEncoderDecoder, source: list[int], candidate: list[int]) -> Tensor:
    """Of each token of a candidate and EOS, alone; of a head that copies by the paper's formula, token by token."""
    alone = SequenceBatch.from_pairs([source], [candidate], torch.zeros(1))
    hidden, weights = net(alone)
    generated, golds = net.output(hidden).softmax(-1), [*candidate, EOS]
    if not isinstance(net.output, CopyVocabularyHead):
        return generated.gather(1, torch.tensor(golds)[:, None]).squeeze(1)
    found, gates = [], net.output.generate(hidden).sigmoid().squeeze(1)
    for step, (gold, gate) in enumerate(zip(golds, gates, strict=True)):
        copied = sum(weights[0, 0, step, place] for place, token in enumerate([*source, EOS]) if token == gold)
        found.append(gate * generated[step, gold] + (1 - gate) * copied)
    return torch.stack(found)


@pytest.mark.parametrize("head", [VocabularyHead, CopyVocabularyHead])
@pytest.mark.parametrize("sharpness", [0.005, 1.0])
def test_the_expected_cost_and_its_gradient_are_those_by_hand(sharpness: float, head: HeadFactory, seed: int) -> None:
    risk = MinimumRisk(ExactMatchCost(), samples=3, sharpness=sharpness)
    net = model(seed, risk, head).eval()
    found = risk.candidates(Drawn(), batch())
    loss, reported, count = net.loss_of(found, net.run(found, 1.0))
    assert count == 2
    expected = torch.zeros((), dtype=torch.double)
    for source, candidates in zip(SOURCES, ([[6, 5, 4], [6]], [[8, 7], [], [7, 8]]), strict=True):
        scores = [gold_probabilities(net, source, candidate).log().sum() for candidate in candidates]
        shares = (sharpness * torch.stack(scores)).softmax(0)
        expected = expected + shares[1:].sum()  # all but the gold one cost 1
    assert float(loss) == pytest.approx(float(expected), rel=1e-10) == pytest.approx(float(reported))
    parameters = [each for each in net.parameters() if each.requires_grad]
    both = [torch.autograd.grad(each, parameters, allow_unused=True) for each in (loss, expected)]
    for one, other in zip(*both, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("head", [VocabularyHead, CopyVocabularyHead])
def test_the_cost_of_a_model_that_was_trained_falls(head: HeadFactory, seed: int) -> None:
    net = model(seed, MinimumRisk(ExactMatchCost(), samples=20, sharpness=1.0), head).train()
    risk, optimizer = net.risk, torch.optim.Adam(net.parameters(), lr=0.02)

    def step() -> float:
        loss, _, count = net.loss(batch())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss) / count

    net.risk = None
    while step() > 0.6:  # nats a token
        pass
    net.risk = risk
    costs = [step() for _ in range(80)]
    assert math.fsum(costs[-5:]) < 0.3 * math.fsum(costs[:5])
    assert net.training, "drawing leaves it as it was"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="sharpness of MinimumRisk is 0: give a number above 0"):
        MinimumRisk(sharpness=0)
    with pytest.raises(UserError, match="samples is 0: give at least 1"):
        MinimumRisk(samples=0)
    with pytest.raises(UserError, match="order of SentenceBLEUCost is 0: give at least 1"):
        SentenceBLEUCost(0)


@pytest.mark.long
def test_a_trained_model_goes_on_by_it(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=120)
    assert main(["fit", "--config", str(config), "--trainer.max_epochs", "1"]) == 0
    begun = tmp_path / "runs" / "tiny" / "1"
    risk = ["--model.init_args.risk", "MinimumRisk", "--model.init_args.risk.init_args.cost", "ExactMatchCost"]
    words = ["fit", "--config", str(config), "--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "1", *risk]
    assert main([*words, "--init_from", str(begun)]) == 0
    losses = values(tmp_path / "runs" / "tiny" / "2", "train/loss")
    assert losses
    assert all(0 <= loss <= 1 for loss in losses), "an expected cost"
    capsys.readouterr()
    checkpoint = tmp_path / "runs" / "tiny" / "2" / "checkpoints" / "last.ckpt"
    text = tmp_path / "lines"
    text.write_text("abc\n")
    assert main(["translate", "--ckpt_path", str(checkpoint), "--input", str(text)]) == 0
    forcing = ["--model.init_args.forcing", "NoisyForcing", "--model.init_args.forcing.init_args.schedule", "Constant"]
    assert main([*words, *forcing]) == 2
    assert "risk and forcing are two ways to train: leave one of them out" in capsys.readouterr().err
