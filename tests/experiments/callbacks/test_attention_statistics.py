"""Statistics of attention weights as the callback reports them, against the model stepped by hand."""

from __future__ import annotations

import itertools
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from datamodules.batch import BOS, EOS, Padded
from datamodules.errors import UserError
from datamodules.reversal import ReversalDataModule
from experiments.callbacks import AttentionStatistics
from lightning_modules.layers.attention import Attention, DotAttention, MultiHeadAttention, NoAttention
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer


def small_data(folder: Path) -> ReversalDataModule:
    return ReversalDataModule(
        alphabet_size=6, min_length=2, max_length=7, train_size=40, val_size=30, test_size=25, eval_batch_size=8,
        cache_directory=str(folder),
    )  # fmt: skip


def small_model(data: ReversalDataModule, attention: type[Attention]) -> TokenEncoderDecoder:
    model = TokenEncoderDecoder(
        data.source_vocabulary_size,
        data.target_vocabulary_size,
        encoder=partial(RecurrentEncoder, hidden_size=4),
        decoder=partial(LuongDecoder, attention=attention, hidden_size=8, input_feeding=False),
        embedding_size=4,
    )
    with torch.no_grad():
        model.source_embedding.weight.mul_(20.0)  # else the weights are nearly even, and no place is looked at
    return model.eval()


@pytest.mark.parametrize("attention", [DotAttention, MultiHeadAttention])
@pytest.mark.parametrize("stage", ["val", "test"])
@torch.no_grad()
def test_equals_the_model_stepped_by_hand(attention: type[Attention], stage: str, tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    data = small_data(tmp_path)
    data.prepare_data()
    data.setup("fit")
    model = small_model(data, attention)
    trainer = make_trainer(tmp_path, callbacks=[AttentionStatistics()])
    (scores,) = (trainer.validate if stage == "val" else trainer.test)(model, datamodule=data, verbose=False)

    entropies, largest, variances, right, onward = [], [], [], [], []
    for source_text, target_text in data.pairs("val" if stage == "val" else "test"):
        source, target = data.source_tokenizer.encode(source_text), data.target_tokenizer.encode(target_text)
        memory, state = model.encode(Padded.from_sequences([[*source, EOS]]))
        peaks: list[int] = []
        for position, token in enumerate([BOS, *target]):
            _, weights, state = model.step(torch.tensor([token]), memory, state)
            for head in weights[0].tolist():
                entropies.append(-sum(weight * math.log(weight) for weight in head if weight))
                largest.append(max(head))
                variances.append(torch.tensor(head, dtype=torch.float64).var(correction=0).item())
            if position < len(target):
                peaks.append(int(weights[0].mean(dim=0).argmax()))
                right.append(peaks[-1] == len(source) - 1 - position)
        onward.extend(after >= before for before, after in itertools.pairwise(peaks))
    for name, values in (("entropy", entropies), ("max", largest), ("variance", variances)):
        assert scores[f"{stage}/attention_{name}"] == pytest.approx(sum(values) / len(values), rel=1e-4)
    for name, found in (("peak_right", right), ("monotony", onward)):
        expected = sum(found) / len(found)
        assert scores[f"{stage}/attention_{name}"] == pytest.approx(expected, abs=2.5 / len(found)), "but for a tie"
        assert 0 < expected < 1


def test_without_attention_there_is_nothing_to_measure(tmp_path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    data = small_data(tmp_path)
    data.prepare_data()
    data.setup("fit")
    trainer = make_trainer(tmp_path, callbacks=[AttentionStatistics()])
    (scores,) = trainer.validate(small_model(data, NoAttention), datamodule=data, verbose=False)
    assert "val/loss" in scores
    assert not [name for name in scores if "attention" in name]


def test_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="measures encoder-decoders, not a EchoModel"):
        make_trainer(tmp_path, callbacks=[AttentionStatistics()]).validate(
            EchoModel(), datamodule=EchoData(), verbose=False
        )
