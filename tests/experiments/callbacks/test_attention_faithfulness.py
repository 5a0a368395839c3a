"""Attention beside what source tokens do, against sentences alone, gradients of the embedding's rows, runs by hand."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.batch import EOS, UNK, SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks import AttentionFaithfulness
from experiments.callbacks.attention_faithfulness import _cloned, _gradients
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.layers.attention import Attention, BahdanauAttention, MultiHeadAttention, NoAttention
from lightning_modules.layers.attention.altered import tempered
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.monotonic_transducer import MonotonicTransducer
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.experiments.callbacks.test_attention_statistics import small_data, small_model
from tests.experiments.echo_task import make_trainer
from tests.experiments.metrics.test_rank_correlation import by_pairs


def model(seed: int) -> TokenEncoderDecoder:
    torch.manual_seed(seed)
    return TokenEncoderDecoder(
        20,
        20,
        encoder=partial(RecurrentEncoder, hidden_size=5),
        decoder=partial(LuongDecoder, attention=BahdanauAttention, hidden_size=8),
        embedding_size=6,
    ).double()


def test_gradients_are_those_of_the_embeddings_rows(seed: int) -> None:
    """Where each token occurs once in the source, and nowhere in the target."""
    net = model(seed).eval()
    sources, targets = [[4, 5, 6, 7], [8, 9]], [[10, 11, 12], [13, 14, 15, 16]]
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(2))
    with torch.inference_mode():
        found = _gradients(net, _cloned(batch))
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = SequenceBatch.from_pairs([source], [target], torch.zeros(1))
        hidden, weights = net(alone)
        scores = net.output.log_probabilities(hidden, net.attended(alone, weights))
        for step, token in enumerate([*target, EOS]):
            table = net.source_embedding
            (gradient,) = torch.autograd.grad(scores[step, token], table.weight, retain_graph=True)
            expected = gradient[source].norm(dim=-1) / table.scale
            torch.testing.assert_close(found[row, step, : len(source)], expected, rtol=1e-8, atol=1e-12)
        assert not found[row, len(target) + 1 :].any()
    assert found.isfinite().all()
    assert found[0, 0].all()


@pytest.mark.parametrize("attention", [BahdanauAttention, MultiHeadAttention])
def test_what_a_test_logs_is_what_runs_by_hand_give(attention: type[Attention], tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    data = small_data(tmp_path)
    data.prepare_data()
    data.setup("fit")
    net = small_model(data, attention)
    trainer = make_trainer(tmp_path, callbacks=[AttentionFaithfulness(sentences=9)])
    (scores,) = trainer.test(net, datamodule=data, verbose=False)
    taus, right, count = [], 0, 0
    even = tempered(net, 1e9)  # another way to the same weights for all
    with torch.no_grad():
        for source_text, target_text in list(data.pairs("test"))[:9]:
            source, target = data.source_tokenizer.encode(source_text), data.target_tokenizer.encode(target_text)
            runs = [source, *([*source[:place], UNK, *source[place + 1 :]] for place in range(len(source)))]
            logs = []
            for given in runs:
                alone = SequenceBatch.from_pairs([given], [target], torch.zeros(1))
                hidden, weights = net(alone)
                if given is source:
                    own = weights.mean(dim=1)[0]
                logs.append(net.output.log_probabilities(hidden).gather(1, torch.tensor([*target, EOS])[:, None])[:, 0])
            for step in range(len(target)):
                changes = [abs(float(other[step] - logs[0][step])) for other in logs[1:]]
                taus.append(by_pairs(own[step, : len(source)].tolist(), changes))
            count += len(target) + 1
            alone = SequenceBatch.from_pairs([source], [target], torch.zeros(1))
            right += int((net.output(even(alone)[0]).argmax(-1) == torch.tensor([*target, EOS])).sum())
    assert scores["test/attention_leave_one_out"] == pytest.approx(math.fsum(taus) / len(taus), abs=0.02)
    assert scores["test/accuracy_attention_even"] * count == pytest.approx(right, abs=1e-3)
    shuffled = scores["test/accuracy_attention_shuffled"] * count
    assert shuffled == pytest.approx(round(shuffled), abs=1e-3)
    assert -1 <= scores["test/attention_gradient"] <= 1


def test_without_attention_there_is_nothing_to_log(tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    data = small_data(tmp_path)
    data.prepare_data()
    data.setup("fit")
    trainer = make_trainer(tmp_path, callbacks=[AttentionFaithfulness()])
    (scores,) = trainer.test(small_model(data, NoAttention), datamodule=data, verbose=False)
    assert not any("attention" in name for name in scores)


def copying_model(seed: int) -> TokenEncoderDecoder:
    torch.manual_seed(seed)
    net = TokenEncoderDecoder(
        12,
        12,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        decoder=partial(LuongDecoder, attention=BahdanauAttention, hidden_size=8),
        head=CopyVocabularyHead,
        embedding_size=6,
        test_search=GreedySearch(max_length=6),
    )
    with torch.no_grad():
        net.source_embedding.weight.mul_(20.0)
    return net.eval()


def gold_probability(net: TokenEncoderDecoder, source: list[int], target: list[int], step: int) -> Tensor:
    """Of the token at a step of a target and EOS, generated or copied (See et al. 2017, equation 9)."""
    hidden, weights = net(SequenceBatch.from_pairs([source], [target], torch.zeros(1)))
    gold, gate = [*target, EOS][step], net.output.generate(hidden)[step].sigmoid()[0]
    generated = net.output(hidden)[step].softmax(0)[gold] if gold < net.output.out_features else 0.0
    copied = sum(weights[0, 0, step, place] for place, token in enumerate([*source, EOS]) if token == gold)
    return gate * generated + (1 - gate) * copied


def test_a_head_that_copies_is_measured_with_what_it_copies(tmp_path: Path, seed: int) -> None:
    """Also ids that the vocabulary lacks: without them in the source they are next to impossible."""
    net = copying_model(seed)
    sources, targets = [[4, 13, 5, 12, 6], [12, 7, 8, 9]], [[10, 12, 5, 13], [8, 12]]
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(2))
    trainer = make_trainer(tmp_path, callbacks=[AttentionFaithfulness()])
    (scores,) = trainer.test(net, dataloaders=DataLoader([batch], batch_size=None), verbose=False)
    taus: dict[str, list[float]] = {"leave_one_out": [], "gradient": []}
    for source, target in zip(sources, targets, strict=True):
        weights = net(SequenceBatch.from_pairs([source], [target], torch.zeros(1)))[1][0, 0]
        embedded: list[Tensor] = []

        def keep(_: nn.Module, __: object, output: Tensor, embedded: list[Tensor] = embedded) -> Tensor:
            embedded.append(output.detach().requires_grad_())
            return embedded[-1]

        for step in range(len(target)):
            with net.source_embedding.register_forward_hook(keep):
                own = gold_probability(net, source, target, step).log()
            (gradient,) = torch.autograd.grad(own, embedded[-1])
            changes = []
            for place in range(len(source)):
                without = [*source[:place], UNK, *source[place + 1 :]]
                changes.append(abs(float(gold_probability(net, without, target, step).log() - own)))
            measures = {"leave_one_out": changes, "gradient": gradient[0, : len(source)].norm(dim=-1).tolist()}
            for name, measure in measures.items():
                taus[name].append(by_pairs(weights[step, : len(source)].tolist(), measure))
    for name, found in taus.items():
        assert scores[f"test/attention_{name}"] == pytest.approx(math.fsum(found) / len(found), abs=0.02), name


def test_a_transducer_is_refused_before_anything_runs(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, callbacks=[AttentionFaithfulness()])
    batch = SequenceBatch.from_pairs([[4, 5]], [[6]], torch.arange(1))
    with pytest.raises(UserError, match=r"AttentionFaithfulness .* MonotonicTransducer .*: leave it out"):
        trainer.test(MonotonicTransducer(9, 9), dataloaders=DataLoader([batch], batch_size=None), verbose=False)


def test_no_sentence_is_refused() -> None:
    with pytest.raises(UserError, match="sentences of AttentionFaithfulness is 0: give at least 1"):
        AttentionFaithfulness(0)
