"""The whole model: padding changes nothing, halves add up to the whole, and equal names begin equal."""

import re
from collections.abc import Callable
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.batch import BOS, EOS, UNK, Padded, SequenceBatch
from datamodules.errors import RunFailed, UserError
from lightning_modules import token_encoder_decoder
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.ensemble import Ensemble
from lightning_modules.forcing import Constant, ScheduledSampling
from lightning_modules.layers.attention import BahdanauAttention, CoverageAttention, GeneralAttention, NoAttention
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import (
    BahdanauDecoder,
    Decoder,
    FixedContextDecoder,
    LuongDecoder,
    MultiStepDecoder,
)
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.heads import VocabularyHead
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.shapes import check_shapes
from lightning_modules.token_encoder_decoder import Tied, TokenEncoderDecoder

VOCABULARY = 12
DECODERS = [LuongDecoder, BahdanauDecoder, MultiStepDecoder]
RECURRENT = partial(RecurrentEncoder, hidden_size=5, layers=2)
TRANSFORMER_ENCODER = partial(TransformerEncoder, hidden_size=6, heads=3, feedforward_size=8, layers=2)
TRANSFORMER_DECODER = partial(TransformerDecoder, hidden_size=6, heads=3, feedforward_size=8, layers=2)
PARTS: dict[str, dict[str, Any]] = {
    **{decoder.__name__: {"decoder": partial(decoder, hidden_size=6)} for decoder in DECODERS},
    "copying": {"decoder": partial(LuongDecoder, hidden_size=6), "head": CopyVocabularyHead},
    "coverage": {"decoder": partial(BahdanauDecoder, hidden_size=6, attention=CoverageAttention)},
    "both": {
        "decoder": partial(MultiStepDecoder, hidden_size=6, attention=CoverageAttention),
        "head": CopyVocabularyHead,
    },
    "Transformer": {"encoder": TRANSFORMER_ENCODER, "decoder": TRANSFORMER_DECODER},
    "Transformer decoder that copies": {"decoder": TRANSFORMER_DECODER, "head": CopyVocabularyHead},
    "Transformer encoder": {"encoder": TRANSFORMER_ENCODER, "decoder": partial(LuongDecoder, hidden_size=6)},
}


def model(seed: int, kind: Callable[..., Decoder] = LuongDecoder, **options: object) -> TokenEncoderDecoder:
    """A small model in double precision, without dropout."""
    torch.manual_seed(seed)
    return TokenEncoderDecoder(
        VOCABULARY,
        VOCABULARY,
        embedding_size=4,
        label_smoothing=0.1,
        **{"encoder": RECURRENT, "decoder": partial(kind, hidden_size=6), "tied": "all", **options},
    ).double()


def pairs(seed: int, count: int = 6) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences of very different lengths."""
    generator = torch.Generator().manual_seed(seed)

    def sentence(longest: int) -> list[int]:
        length = int(torch.randint(1, longest, (), generator=generator))
        return torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()

    return [sentence(9) for _ in range(count)], [sentence(15) for _ in range(count)]


def gradients(net: TokenEncoderDecoder) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("parts", [*PARTS.values(), {"decoder": partial(LuongDecoder, input_feeding=False)}])
def test_targets_are_scored_in_pieces(parts: dict[str, Any], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = model(seed, **parts)
    sources, targets = pairs(seed)
    batch = SequenceBatch.from_pairs(sources, [*targets[1:], [5] * 20], torch.arange(len(sources)))
    whole = net.score(batch)
    shapes = []
    net.decoder.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[:2]))
    monkeypatch.setattr(token_encoder_decoder, "SCORED_AT_ONCE", 3)
    torch.testing.assert_close(net.score(batch), whole, rtol=0, atol=1e-12)
    lengths = batch.target_output.lengths
    assert shapes == [(int((lengths > start).sum()), 3) for start in range(0, 21, 3)], "ended sentences are left out"
    with torch.no_grad():
        assert whole.sum().item() == pytest.approx(-net.loss(batch)[1].item(), abs=1e-10)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("ratio", [1.0, 0.0])
def test_a_sentence_alone_and_in_a_padded_batch(parts: str, ratio: float, seed: int) -> None:
    """On gold history, and on the model's own."""
    net = model(seed, forcing=ScheduledSampling(Constant(0.0)), **PARTS[parts])
    sources, targets = pairs(seed)
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(len(sources)))
    loss, nll, tokens = net.loss(batch, ratio)
    loss.backward()
    together = gradients(net)
    net.zero_grad()
    sums = [0.0, 0.0, 0]
    _, weights = net(batch)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = SequenceBatch.from_pairs([source], [target], torch.zeros(1))
        found = net.loss(alone, ratio)
        found[0].backward()
        sums = [
            total + float(part.detach() if isinstance(part, torch.Tensor) else part)
            for total, part in zip(sums, found, strict=True)
        ]
        _, alone_weights = net(alone)
        steps, length = len(target) + 1, len(source) + 1
        torch.testing.assert_close(weights[row, :, :steps, :length], alone_weights[0], rtol=0, atol=1e-10)
        assert (weights[row, :, :, length:] == 0).all()
    assert sums[0] == pytest.approx(float(loss), abs=1e-10)
    assert sums[1] == pytest.approx(float(nll), abs=1e-10)
    assert sums[2] == tokens == sum(len(target) + 1 for target in targets)
    for name, gradient in gradients(net).items():
        torch.testing.assert_close(gradient, together[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize("parts", PARTS)
def test_translation_alone_and_in_a_batch(parts: str, seed: int) -> None:
    net = model(seed, **PARTS[parts])
    sources, _ = pairs(seed)
    search = BeamSearch(3, max_length=8)
    padded = SequenceBatch.from_pairs(sources, sources, torch.zeros(len(sources))).source
    for source, found in zip(sources, net.translate(padded, search), strict=True):
        ((alone,),) = net.translate(SequenceBatch.from_pairs([source], [source], torch.zeros(1)).source, search)
        assert alone.ids == found[0].ids
        assert alone.score == pytest.approx(found[0].score, abs=1e-10)


def extended_pairs(seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences of which each source has ids above the vocabulary, one more than the last, and its target some."""
    sources, targets = pairs(seed)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        own = list(range(VOCABULARY, VOCABULARY + row))
        source += own * 4
        target[1:1] = own[:2]
    return sources, targets


COPYING = [name for name, parts in PARTS.items() if "head" in parts]


@pytest.mark.parametrize("parts", COPYING)
@pytest.mark.parametrize("ratio", [1.0, 0.0])
def test_symbols_outside_the_vocabulary_alone_and_in_a_batch(parts: str, ratio: float, seed: int) -> None:
    """Loss on gold history and on its own, hypotheses and their scores."""
    net = model(seed, forcing=ScheduledSampling(Constant(0.0)), **PARTS[parts])
    with torch.no_grad():
        net.output.get_parameter("generate.bias").fill_(-6.0)  # so that much is copied
    sources, targets = extended_pairs(seed)
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(len(sources)))
    search = BeamSearch(3, max_length=6, min_length=4)
    found, scores = net.translate(batch.source, search), net.score(batch)
    assert any(id_ >= VOCABULARY for (best, *_) in found for id_ in best.ids)
    nll = 0.0
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = SequenceBatch.from_pairs([source], [target], torch.zeros(1))
        nll += float(net.loss(alone, ratio)[1])
        ((best, *_),) = net.translate(alone.source, search)
        assert best.ids == found[row][0].ids
        assert best.log_probability == pytest.approx(found[row][0].log_probability, abs=1e-5)
        again = net.score(SequenceBatch.from_pairs([source], [best.ids], torch.zeros(1)))
        assert again.sum().item() == pytest.approx(best.log_probability, abs=1e-5)
        torch.testing.assert_close(net.score(alone)[0], scores[row, : len(target) + 1], rtol=0, atol=1e-10)
    assert nll == pytest.approx(float(net.loss(batch, ratio)[1]), abs=1e-9)
    ensemble = [each[0].ids for each in search(Ensemble([net.eval(), net]), batch.source)]
    assert ensemble == [each[0].ids for each in found]


def test_sentences_with_many_symbols_of_their_own_end_before_others(seed: int) -> None:
    """Unused places of a beam, as forced beginnings leave them, may hold any id, also where n-grams are compared."""
    sources = [[4, 5], [6], list(range(VOCABULARY, VOCABULARY + 7))]
    beginnings = [[4, 5, 6, 7, 8, 9], [5, 6, 7, 8, 9, 10, 11], []]
    search = BeamSearch(4, max_length=9, no_repeat_ngram_size=2)
    for each in range(seed, seed + 5):
        net = model(each, **PARTS["copying"])
        with torch.no_grad():
            net.output.get_parameter("generate.bias").fill_(-6.0)
        batch = SequenceBatch.from_pairs(sources, sources, torch.arange(3))
        found = net.translate(batch.source, search, prefixes=Padded.from_sequences(beginnings))
        for source, beginning, (best, *_) in zip(sources, beginnings, found, strict=True):
            alone = Padded.from_sequences([[*source, EOS]])
            ((other, *_),) = net.translate(alone, search, prefixes=Padded.from_sequences([beginning]))
            assert best.ids == other.ids


@pytest.mark.parametrize("head", [VocabularyHead, CopyVocabularyHead])
def test_an_id_outside_the_vocabulary_is_read_as_the_unknown_token_where_it_can_be_copied(
    head: type[VocabularyHead], seed: int
) -> None:
    net = model(seed, decoder=partial(LuongDecoder, hidden_size=6), head=head)
    embeddings = (net.source_embedding, net.target_embedding)
    above, unknown = torch.tensor([4, VOCABULARY, VOCABULARY + 70]), torch.tensor([4, UNK, UNK])
    for embedding in embeddings:
        if head is CopyVocabularyHead:
            assert torch.equal(embedding(above), embedding(unknown))
        else:
            with pytest.raises(IndexError):
                embedding(above)


class Recorder(L.Callback):
    """Keeps the gradients that the optimizer saw."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """The gradients stay until the next step begins."""
        self.steps.append(gradients(pl_module))


def quiet_trainer(tmp_path: object, **options: object) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(tmp_path),
        **options,
    )


def train(net: TokenEncoderDecoder, batches: list[SequenceBatch], tmp_path: object, **options: object) -> Recorder:
    recorder = Recorder()
    trainer = quiet_trainer(tmp_path, callbacks=[recorder], **options)
    trainer.fit(net, DataLoader(batches, batch_size=None))
    return recorder


def test_gradient_of_accumulated_halves_is_that_of_the_whole(tmp_path: object, seed: int) -> None:
    """Sentences of very different lengths, so that a mean of means would show."""
    sources, targets = pairs(seed, 8)
    order = sorted(range(8), key=lambda row: len(targets[row]))

    def batch(rows: list[int]) -> SequenceBatch:
        return SequenceBatch.from_pairs([sources[r] for r in rows], [targets[r] for r in rows], torch.tensor(rows))

    sgd = partial(torch.optim.SGD, lr=0.0)
    whole = train(model(seed, optimizer=sgd), [batch(order)], tmp_path)
    halves = train(
        model(seed, optimizer=sgd), [batch(order[:4]), batch(order[4:])], tmp_path, accumulate_grad_batches=2
    )
    plain = model(seed)
    loss, _, tokens = plain.loss(batch(order))
    (loss / tokens).backward()
    for name, gradient in gradients(plain).items():
        torch.testing.assert_close(whole.steps[-1][name], gradient, rtol=0, atol=1e-12)
        torch.testing.assert_close(halves.steps[-1][name], gradient, rtol=0, atol=1e-12)


def test_clipping_is_that_of_torch(tmp_path: object, seed: int) -> None:
    """What the optimizer saw and the norm that was logged, against ``clip_grad_norm_`` of the mean loss."""
    sources, targets = pairs(seed)
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(len(sources)))
    plain = model(seed)
    loss, _, tokens = plain.loss(batch)
    (loss / tokens).backward()
    norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 1e-3)
    assert norm > 1e-3, "nothing would be clipped"
    recorder = Recorder()
    trainer = quiet_trainer(tmp_path, callbacks=[recorder], gradient_clip_val=1e-3)
    net = model(seed, optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer.fit(net, DataLoader([batch], batch_size=None))
    assert trainer.callback_metrics["train/gradient_norm"].item() == pytest.approx(norm.item(), rel=1e-6)
    for name, gradient in gradients(plain).items():
        torch.testing.assert_close(recorder.steps[-1][name], gradient, rtol=1e-9, atol=1e-15)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(tmp_path: object, seed: int) -> None:
    sources, targets = pairs(seed)
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(6))
    net = model(seed, optimizer=partial(torch.optim.SGD, lr=0.1))
    with torch.no_grad():
        net.output.bias[5] = torch.inf
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(RunFailed, match=r"NaN or infinite at step 0 \(learning rate 0.1\)"):
        train(net, [batch, batch], tmp_path)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_shared_names_begin_equal_whatever_else_the_model_has(seed: int) -> None:
    one = model(seed, LuongDecoder, decoder=partial(LuongDecoder, hidden_size=6, attention=GeneralAttention))
    other = model(seed, LuongDecoder, decoder=partial(LuongDecoder, hidden_size=6, attention=BahdanauAttention))
    ours, theirs = dict(one.named_parameters()), dict(other.named_parameters())
    shared = [name for name in ours.keys() & theirs.keys() if ours[name].shape == theirs[name].shape]
    assert len(shared) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)
    different = dict(model(seed + 1).named_parameters())
    assert not torch.equal(ours["encoder.rnn.weight_ih_l0"], different["encoder.rnn.weight_ih_l0"])
    assert not torch.equal(ours["encoder.rnn.weight_ih_l0"], ours["encoder.rnn.weight_ih_l0_reverse"])


@pytest.mark.parametrize(
    ("tied", "one"),
    [
        ("none", []),
        ("target", ["target_embedding", "output"]),
        ("embeddings", ["source_embedding", "target_embedding"]),
        ("all", ["source_embedding", "target_embedding", "output"]),
    ],
)
def test_tying(tied: str, one: list[str], seed: int) -> None:
    """Those that are one, and no others, also in what a checkpoint keeps; the output is as wide as it has to be."""
    net = model(seed, tied=tied)
    weights = {name: net.get_parameter(f"{name}.weight") for name in ("source_embedding", "target_embedding", "output")}
    for first, second in combinations(weights, 2):
        assert (weights[first] is weights[second]) == ({first, second} <= set(one))
    assert weights["output"].shape[1] == (4 if "output" in one else net.decoder.output_size)
    again = model(seed + 1, tied=tied)
    again.load_state_dict(net.state_dict())
    batch = SequenceBatch.from_pairs(*pairs(seed), torch.arange(6))
    assert torch.equal(again.eval().loss(batch)[0], net.eval().loss(batch)[0])


def test_copying_needs_one_vocabulary_and_an_attention() -> None:
    with pytest.raises(UserError, match="a vocabulary of its own, of 12 ids, and the target one of 9: use a joint"):
        TokenEncoderDecoder(12, 9, head=CopyVocabularyHead)
    with pytest.raises(UserError, match="a vocabulary of its own, of 9 ids, and the target one of 9: use a joint"):
        TokenEncoderDecoder(9, 9, head=CopyVocabularyHead, shared_vocabulary_size=0)
    for decoder in (FixedContextDecoder, partial(LuongDecoder, attention=NoAttention)):
        with pytest.raises(UserError, match=r"CopyVocabularyHead copies what is attended to, but .* attends to"):
            model(1, decoder=decoder, head=CopyVocabularyHead)


def test_source_ids_that_the_target_lacks_are_not_copied(seed: int) -> None:
    """As features above the text's ids: no probability comes of them, in the loss and in a search."""
    net = TokenEncoderDecoder(16, VOCABULARY, head=CopyVocabularyHead, shared_vocabulary_size=VOCABULARY).eval()
    with torch.no_grad():
        net.output.generate.bias.fill_(-50.0)  # it copies, and does nothing else
    source, target = [[14, 5, 15, 6]], [[5, 6]]
    batch = SequenceBatch.from_pairs(source, target, torch.zeros(1))
    memory, state = net.encode(batch.source)
    with torch.no_grad():
        log_probabilities, weights, _ = net.step(torch.tensor([BOS]), memory, state)
    wanted = torch.zeros(VOCABULARY)
    for place, token in enumerate([UNK, 5, UNK, 6, EOS]):
        wanted[token] += weights[0, 0, place]
    torch.testing.assert_close(log_probabilities.exp()[0], wanted)
    assert net.loss(batch)[1].item() == pytest.approx(-net.score(batch).sum().item(), rel=1e-5)


def test_the_coverage_loss_is_trained_and_not_reported(seed: int) -> None:
    sources, targets = pairs(seed)
    batch = SequenceBatch.from_pairs(sources, targets, torch.arange(len(sources)))
    losses = []
    for weight in (0.0, 1.0, 3.0):
        attention = partial(CoverageAttention, loss_weight=weight)
        losses.append(model(seed, decoder=partial(LuongDecoder, hidden_size=6, attention=attention)).loss(batch)[:2])
    (none, reported), *others = losses
    assert all(torch.equal(other[1], reported) for other in others)
    assert (others[1][0] - none).item() == pytest.approx(3 * (others[0][0] - none).item())
    assert (others[0][0] - none).item() > 0


def test_unseen_words_are_copied(seed: int) -> None:
    """Trained to repeat some ids, it repeats others, which no target had; without copying it cannot."""
    torch.manual_seed(seed)
    shares = {}
    for head in (VocabularyHead, CopyVocabularyHead):
        net = TokenEncoderDecoder(
            40,
            40,
            encoder=partial(RecurrentEncoder, hidden_size=24),
            decoder=partial(LuongDecoder, hidden_size=48, input_feeding=False),
            head=head,
            embedding_size=24,
            tied="none",
        )
        for embedding in (net.source_embedding, net.target_embedding):  # three kinds of ids
            embedding.weight.requires_grad_(False)
            embedding.weight.copy_(torch.nn.functional.one_hot(torch.arange(40) % 3, 24))
        optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.01)
        for _ in range(200):
            words = torch.randint(4, 20, (32, 3)).tolist()
            loss, _, count = net.loss(SequenceBatch.from_pairs(words, words, torch.zeros(32)))
            optimizer.zero_grad()
            (loss / count).backward()
            optimizer.step()
        unseen = torch.randint(20, 40, (50, 3)).tolist()
        source = SequenceBatch.from_pairs(unseen, unseen, torch.zeros(50)).source
        found = net.translate(source, BeamSearch(2, max_length=6))
        shares[head] = sum(best.ids == words for (best, *_), words in zip(found, unseen, strict=True)) / 50
    assert shares[VocabularyHead] == 0.0
    assert shares[CopyVocabularyHead] > 0.9


@pytest.mark.parametrize(("tied", "instead"), [("all", "target"), ("embeddings", "none")])
def test_tying_of_unlike_vocabularies_is_refused(tied: Tied, instead: str) -> None:
    message = rf"tied is '{tied}', but the source vocabulary has 8 ids and the target's 9: .* or tied: {instead}"
    with pytest.raises(UserError, match=message):
        TokenEncoderDecoder(8, 9, tied=tied)


def test_a_changed_shape_is_told_with_both_values(seed: int) -> None:
    saved = model(seed).state_dict()
    wider = model(seed, decoder=partial(LuongDecoder, hidden_size=7))
    with pytest.raises(UserError, match=r"x\.ckpt: '.*' has shape \(6.*\) in the checkpoint and \(7.*\) in this model"):
        check_shapes(wider, saved, "x.ckpt")
    check_shapes(model(seed), saved, "x.ckpt")


def test_a_name_that_one_side_alone_has_is_told_with_its_side(seed: int) -> None:
    net = model(seed)
    saved = net.state_dict()
    with pytest.raises(UserError, match=r"x\.ckpt: 'a' is in the checkpoint alone \(1 such names\): .* another kind"):
        check_shapes(net, saved | {"a": torch.zeros(1)}, "x.ckpt")
    name, _ = saved.popitem()
    with pytest.raises(UserError, match=rf"x\.ckpt: '{re.escape(name)}' is in the model alone \(1 such names\)"):
        check_shapes(net, saved, "x.ckpt")


@pytest.mark.parametrize("stage", ["val", "test"])
def test_evaluation_counts_the_most_probable_tokens(stage: str, tmp_path: Path, seed: int) -> None:
    """Against one sentence and one step at a time, in batches that differ in size and in length."""
    net, (sources, targets) = model(seed), pairs(seed, 7)
    hits, nll, tokens = 0, 0.0, 0
    for source, target in zip(sources, targets, strict=True):
        memory, state = net.encode(Padded.from_sequences([[*source, EOS]]))
        for given, gold in pairwise([BOS, *target, EOS]):
            log_probabilities, _, state = net.step(torch.tensor([given]), memory, state)
            hits += int(log_probabilities.argmax()) == gold
            nll -= float(log_probabilities[0, gold].detach())
            tokens += 1
    parts = [slice(0, 2), slice(2, 7), slice(7, 7)]
    batches = [SequenceBatch.from_pairs(sources[part], targets[part], torch.arange(7)[part]) for part in parts]
    loader = DataLoader(batches, batch_size=None)
    trainer = quiet_trainer(tmp_path)
    run = trainer.validate if stage == "val" else trainer.test
    for _ in range(2):  # a second run counts anew
        (logged,) = run(net, loader, verbose=False)
        assert logged[f"{stage}/accuracy"] == pytest.approx(hits / tokens)
        assert logged[f"{stage}/loss"] == pytest.approx(nll / tokens, rel=1e-6)


def test_an_empty_share_of_a_batch_is_a_loss_of_zero(tmp_path: object, seed: int) -> None:
    sources, targets = pairs(seed)
    full = SequenceBatch.from_pairs(sources, targets, torch.arange(6))
    empty = SequenceBatch.from_pairs([], [], torch.zeros(0, dtype=torch.long))
    sgd = partial(torch.optim.SGD, lr=0.0)
    alone = train(model(seed, optimizer=sgd), [full], tmp_path)
    beside = train(model(seed, optimizer=sgd), [full, empty], tmp_path, accumulate_grad_batches=2)
    for name, gradient in alone.steps[-1].items():
        torch.testing.assert_close(beside.steps[-1][name], gradient, rtol=0, atol=1e-12)
    assert model(seed).validation_step(empty, 0) == []
    assert model(seed).predict_step(empty, 0) == []
