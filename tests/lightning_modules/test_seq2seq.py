"""Seq2Seq: an encoder-decoder whose decoder knows the source from the encoder's final state alone."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch

from datamodules.batch import EOS, Padded, SequenceBatch
from datamodules.reversal import ReversalDataModule
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.seq2seq import Seq2Seq
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


def small(seed: int) -> Seq2Seq:
    torch.manual_seed(seed)
    return Seq2Seq(
        9,
        9,
        encoder=partial(RecurrentEncoder, hidden_size=5),
        decoder=partial(FixedContextDecoder, hidden_size=6, cell="gru"),
        embedding_size=4,
    ).double()


def test_the_memory_is_not_looked_at(seed: int) -> None:
    model = small(seed)
    memory, state = model.encode(Padded.from_sequences([[5, 7, 8, 2], [4, 2]]))
    other = replace(memory, values=torch.randn_like(memory.values), mask=~memory.mask)
    tokens = torch.tensor([1, 1])
    for _ in range(3):
        found, weights, following = model.step(tokens, memory, state)
        assert torch.equal(found, model.step(tokens, other, state)[0])
        assert weights.shape[1] == 0, "no head attends to anything"
        tokens, state = found.argmax(dim=-1), following


def test_the_source_reaches_the_decoder_through_the_state(seed: int) -> None:
    model = small(seed)
    target = [6, 5, 4]
    first, second = (SequenceBatch.from_pairs([source], [target], torch.zeros(1)) for source in ([5, 7, 8], [8, 7, 5]))
    assert not torch.allclose(model(first)[0], model(second)[0])


def test_its_arguments_are_those_of_every_encoder_decoder() -> None:
    ours, theirs = (inspect.signature(kind).parameters for kind in (Seq2Seq, TokenEncoderDecoder))
    assert list(ours) == list(theirs)
    assert [ours[name].annotation for name in ours] == [theirs[name].annotation for name in ours]
    other = [name for name in ours if ours[name].default != theirs[name].default]
    assert set(other) == {"decoder", "val_search", "test_search"}, "and so are all defaults but these"
    assert type(ours["val_search"].default) is type(theirs["val_search"].default)


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_two_processes_measure_what_one_does(stage: str, tmp_path: Path, seed: int) -> None:
    """31 sentences of different lengths in batches of 8: shares are uneven, and a mean of means would show."""
    found = []
    for processes in (1, 2):
        data = ReversalDataModule(
            alphabet_size=5, min_length=4, val_size=31, test_size=31, eval_batch_size=8, cache_directory=str(tmp_path)
        )
        trainer = L.Trainer(
            accelerator="cpu",
            devices=processes,
            strategy="auto" if processes == 1 else "ddp_fork",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=str(tmp_path),
        )
        model = small(seed)
        with torch.no_grad():
            model.output.bias[EOS] += 9.0  # some tokens at least are right
        (logged,) = getattr(trainer, stage)(model, datamodule=data, verbose=False)
        found.append(logged)
    prefix = {"validate": "val", "test": "test"}[stage]
    assert 0 < found[0][f"{prefix}/accuracy"] == found[1][f"{prefix}/accuracy"]
    assert found[0][f"{prefix}/loss"] == pytest.approx(found[1][f"{prefix}/loss"], rel=1e-6)
