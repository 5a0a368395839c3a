"""Parts of one's own are checked at their first call; those of seqlab would pass."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import torch
from torch import Tensor

from datamodules.batch import LabelledBatch, Padded, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.layers import attention, pooling
from lightning_modules.layers.attention import Attention, DotAttention, GeneralAttention
from lightning_modules.layers.bridge import CopyBridge, LearnedBridge, ProjectionBridge, ZeroBridge
from lightning_modules.layers.decoder import (
    BahdanauDecoder,
    Decoder,
    FixedContextDecoder,
    LuongDecoder,
    MultiStepDecoder,
)
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import DecoderState, Memory
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.nmt import AttentionNMT
from lightning_modules.training import contracts
from lightning_modules.training.contracts import check_first_calls

ATTENTIONS = [
    kind for name, kind in vars(attention).items() if name.endswith("Attention") and not inspect.isabstract(kind)
]
POOLINGS = [getattr(pooling, name) for name in vars(pooling) if name.endswith("Pooling") and name != "Pooling"]


def run(model: AttentionNMT) -> None:
    """A loss, and a translation."""
    batch = SequenceBatch.from_pairs([[4, 5, 6], [7]], [[5, 4], [6, 6, 7, 4]], torch.arange(2))
    check_first_calls(model)
    model.loss(batch)
    model.translate(batch.source, BeamSearch(beam_size=2, max_length=4))


def of_parts(**parts: object) -> AttentionNMT:
    encoder = partial(RecurrentEncoder, cell="gru", hidden_size=4)
    decoder = partial(LuongDecoder, cell="gru", hidden_size=6)
    return AttentionNMT(9, 9, embedding_size=4, **{"encoder": encoder, "decoder": decoder, **parts})


@pytest.fixture
def nothing_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "_is_ours", lambda _: False)


@pytest.mark.usefixtures("nothing_is_ours")
@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("decoder", [LuongDecoder, BahdanauDecoder, MultiStepDecoder])
def test_seqlabs_attentions_and_decoders_keep_it(kind: type[Attention], decoder: type[Decoder]) -> None:
    run(of_parts(decoder=partial(decoder, cell="gru", hidden_size=8, attention=kind)))


@pytest.mark.usefixtures("nothing_is_ours")
@pytest.mark.parametrize("bridge", [CopyBridge, LearnedBridge, ProjectionBridge, ZeroBridge])
def test_seqlabs_bridges_keep_it(bridge: type) -> None:
    run(of_parts(bridge=bridge, decoder=partial(FixedContextDecoder, cell="gru", hidden_size=8)))


@pytest.mark.usefixtures("nothing_is_ours")
@pytest.mark.parametrize("bridge", [ProjectionBridge, ZeroBridge])
def test_seqlabs_transformer_keeps_it(bridge: type) -> None:
    encoder = partial(TransformerEncoder, hidden_size=8, heads=2, layers=2)
    run(of_parts(encoder=encoder, bridge=bridge, decoder=partial(TransformerDecoder, hidden_size=6, heads=3, layers=2)))
    run(of_parts(encoder=encoder))


@pytest.mark.usefixtures("nothing_is_ours")
@pytest.mark.parametrize("kind", POOLINGS)
def test_seqlabs_poolings_keep_it(kind: type[pooling.Pooling]) -> None:
    model = BiRNNClassifier(2, 2, partial(RecurrentEncoder, hidden_size=3), kind)
    check_first_calls(model)
    source = Padded(torch.ones(2, 4, 2), torch.tensor([4, 2]))
    model(LabelledBatch(source, torch.tensor([0, 1]), torch.arange(2)).source)


class _FlatWeights(GeneralAttention):
    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        context, weights = super().forward(query, keys, memory, mask)
        return context, weights.squeeze(1)


class _FlatScores(Attention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class _DoubleScores(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query.double(), keys.double())


class _NoWeights(DotAttention):
    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        return super().forward(query, keys, memory, mask)[0]


class _NarrowMemory(RecurrentEncoder):
    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        memory, state = super().forward(embedded, lengths)
        return memory[..., 1:], state


class _BareState(RecurrentEncoder):
    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        memory, state = super().forward(embedded, lengths)
        return memory, state[0]


class _FlatState(ProjectionBridge):
    def forward(self, state: State) -> State:
        return tuple(part[0] for part in super().forward(state))


class _HeadlessStep(LuongDecoder):
    def step(
        self, embedded: Tensor, memory: Memory, state: DecoderState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, DecoderState]:
        output, weights, state = super().step(embedded, memory, state, rows)
        return output, weights[:, 0], state


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        ("attention", _FlatWeights, "forward returns weights of shape (2, 1, 4), but a tensor of shape (2, heads"),
        ("attention", _FlatScores, "score returns scores of shape (2, 1, 4), but a tensor of shape (2, heads"),
        ("attention", _DoubleScores, "score returns scores of torch.float64, but the memory is of torch.float32: see"),
        ("attention", _NoWeights, "forward returns a tensor of shape (2, 1, 8), but a tuple of context, weights is"),
        ("encoder", _NarrowMemory, "forward returns memory of shape (2, 4, 5), but a tensor of shape (2, 4, 6) is exp"),
        ("encoder", _BareState, "forward returns state of shape (1, 2, 6), but a tuple of 1 is expected: see"),
        ("bridge", _FlatState, "forward returns state[0] of shape (2, 6), but a tensor of shape (1, 2, 6) is expected"),
        ("decoder", _HeadlessStep, "step returns weights of shape (2, 4), but a tensor of shape (2, heads, 4) is exp"),
    ],
)  # fmt: skip
def test_what_came_and_what_was_expected(part: str, kind: type, message: str) -> None:
    small = {"cell": "gru", "hidden_size": 3 if part == "encoder" else 6}
    if part == "attention":
        model = of_parts(decoder=partial(LuongDecoder, cell="gru", hidden_size=8, attention=kind))
    else:
        model = of_parts(**{part: kind if part == "bridge" else partial(kind, **small)})
    with pytest.raises(UserError) as told:
        run(model)
    assert f"{__name__}.{kind.__name__}.{message}" in str(told.value)
    assert "\n" not in str(told.value)


def test_later_calls_cost_nothing() -> None:
    class _Fine(GeneralAttention): ...

    model = of_parts(decoder=partial(LuongDecoder, cell="gru", hidden_size=6, attention=_Fine))
    run(model)
    fine = model.decoder.attentions[0]
    assert not fine._forward_hooks
    assert not fine._forward_pre_hooks
    assert "step" not in vars(model.decoder)
