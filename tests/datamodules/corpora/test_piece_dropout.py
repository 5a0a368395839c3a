"""Piece dropout: the same text in other pieces, drawn for each pair and epoch alone, and in training alone."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import pytest
import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor, nn

from datamodules.batch import SPECIAL_PIECES, SequenceBatch
from datamodules.corpora.corpus import TextFiles
from datamodules.corpora.piece_dropout import PieceDropout
from datamodules.errors import UserError
from datamodules.tokenizers import SentencePieceTokenizer, Tokenizer, WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from tests.datamodules.quiet_trainer import quiet_trainer

WORDS = ["tower", "power", "flower", "shower", "lowest", "slowest", "lower", "newest", "widest", "tallest", "smaller"]
SENTENCES = [f"the {first} {second} saw a {WORDS[len(first + second) % 7]}" for first in WORDS for second in WORDS]


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceTokenizer:
    made = SentencePieceTokenizer(100)
    made.train(SENTENCES)
    return made


def batch_of(tokenizer: Tokenizer, index: list[int]) -> SequenceBatch:
    ids = [tokenizer.encode(SENTENCES[position]) for position in index]
    return SequenceBatch.from_pairs(ids, ids[::-1], torch.tensor(index))


def rows(batch: SequenceBatch) -> dict[int, tuple[list[int], list[int]]]:
    """Source and target of each pair by index, without reserved ids."""
    return {
        index: (
            batch.source.values[row, : batch.source.lengths[row] - 1].tolist(),
            batch.target.values[row, 1 : batch.target.lengths[row] - 1].tolist(),
        )
        for row, index in enumerate(batch.index.tolist())
    }


def test_merges_are_those_of_sentencepiece(tokenizer: SentencePieceTokenizer) -> None:
    """SentencePiece takes a merge back itself where a piece is marked as not to be used."""
    merges = tokenizer.merges()
    pieces = tokenizer.pieces(range(tokenizer.vocabulary_size))
    assert set(merges) == {id_ for id_, piece in enumerate(pieces) if len(piece) > 1 and id_ >= len(SPECIAL_PIECES)}
    assert len(merges) > 50
    for id_, parts in merges.items():
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString(tokenizer.trained_state()["model"])
        model.pieces[id_].type = sentencepiece_model_pb2.ModelProto.SentencePiece.UNUSED
        model.normalizer_spec.add_dummy_prefix = False
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
        assert processor.encode(pieces[id_].replace("\u2581", " ")) == list(parts)


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
def test_the_text_stays(tokenizer: SentencePieceTokenizer, rate: float) -> None:
    batch = batch_of(tokenizer, list(range(100)))
    found = rows(PieceDropout(rate, tokenizer, tokenizer, seed=1)(batch, epoch=0))
    for index, (source, target) in rows(batch).items():
        assert tokenizer.decode(found[index][0]) == SENTENCES[index] == tokenizer.decode(source)
        assert tokenizer.decode(found[index][1]) == tokenizer.decode(target)
    assert any(found[index][0] != source for index, (source, _) in rows(batch).items())


def test_merges_are_taken_back_as_often_as_was_asked_for(tokenizer: SentencePieceTokenizer) -> None:
    """In the mean a sentence has as many pieces more as the probabilities of all its merges allow for."""
    merges, rate = tokenizer.merges(), 0.3

    def expected(piece: int) -> float:
        parts = merges.get(piece)
        return 1.0 if parts is None else (1 - rate) + rate * sum(expected(part) for part in parts)

    batch = batch_of(tokenizer, list(range(len(SENTENCES))))
    wanted = sum(expected(piece) for source, _ in rows(batch).values() for piece in source)
    dropout = PieceDropout(rate, tokenizer, tokenizer, seed=1)
    counts = [int((dropout(batch, epoch).source.lengths - 1).sum()) for epoch in range(10)]
    assert len(set(counts)) > 1
    assert sum(counts) / 10 == pytest.approx(wanted, rel=0.01)


def test_what_is_drawn_depends_on_seed_epoch_and_pair_alone(tokenizer: SentencePieceTokenizer) -> None:
    dropout = PieceDropout(0.3, tokenizer, tokenizer, seed=1)
    ids = [tokenizer.encode(sentence) for sentence in SENTENCES[:40]]
    whole = rows(dropout(SequenceBatch.from_pairs(ids, ids, torch.arange(40)), epoch=2))
    part = SequenceBatch.from_pairs([ids[7], ids[3]], [ids[7], ids[3]], torch.tensor([7, 3]))
    assert rows(dropout(part, epoch=2)) == {7: whole[7], 3: whole[3]}
    assert rows(dropout(part, epoch=3)) != rows(dropout(part, epoch=2))
    assert rows(PieceDropout(0.3, tokenizer, tokenizer, seed=2)(part, epoch=2)) != rows(dropout(part, epoch=2))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
def test_a_rate_that_is_none(tmp_path: Path, rate: float) -> None:
    text = TextFiles("none", "none")
    with pytest.raises(UserError, match=r"data\.init_args\.piece_dropout is .*: give 0 up to"):
        TranslationDataModule(text, text, WhitespaceTokenizer(), piece_dropout=rate, cache_directory=str(tmp_path))


@pytest.mark.parametrize("other", [WhitespaceTokenizer(), SentencePieceTokenizer(30, "unigram")])
def test_a_tokenizer_without_merges(tokenizer: SentencePieceTokenizer, other: Tokenizer) -> None:
    other.train(SENTENCES)
    with pytest.raises(UserError, match=r"merges nothing: set .* to 0, or take a SentencePieceTokenizer"):
        PieceDropout(0.1, tokenizer, other, seed=1)


class Recorder(L.LightningModule):
    """Learns nothing; keeps the target lengths of what it is trained and validated on, by index."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.trained: list[dict[int, int]] = []
        self.validated: list[dict[int, int]] = []

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        self.trained.append(dict(zip(batch.index.tolist(), batch.target.lengths.tolist(), strict=True)))
        return self.weight * 1

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        self.validated.append(dict(zip(batch.index.tolist(), batch.target.lengths.tolist(), strict=True)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_in_training_alone_and_anew_in_each_epoch(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).write_text("\n".join(SENTENCES))
    text = TextFiles(str(tmp_path / "source"), str(tmp_path / "target"))
    data = TranslationDataModule(
        text, text, SentencePieceTokenizer(100), piece_dropout=0.5, batch_size=500, cache_directory=str(tmp_path)
    )
    module = Recorder()
    quiet_trainer(tmp_path, max_epochs=2).fit(module, datamodule=data)
    plain = {index: len(data.target_tokenizer.encode(line)) + 2 for index, line in enumerate(SENTENCES)}
    assert all(found.items() <= plain.items() for found in module.validated)
    first, second = module.trained
    assert first.keys() == second.keys() == plain.keys()
    assert first != second
    assert all(first[index] >= plain[index] for index in plain)
    assert sum(first.values()) > sum(plain.values())
