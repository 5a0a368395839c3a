"""Parallel data modules: prepared once, with the tokenizers that are in force, and nothing lost on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from datamodules.batch import BOS, EOS, PAD, UNK, SequenceBatch, Split
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer, SentencePieceTokenizer, Tokenizer, WhitespaceTokenizer
from tests.datamodules.quiet_trainer import quiet_trainer

Text = dict[Split, list[tuple[str, str]]]

TEXT: Text = {
    "train": [(f"we saw {number} cats", f"wir sahen {number} Katzen heute") for number in range(20)],
    "val": [("we saw cats", "wir sahen Katzen"), ("cats saw", "Katzen sahen")],
    "test": [("saw cats we", "sahen Katzen wir"), ("we", "wir"), ("cats dogs", "Katzen Hunde")],
}


class Listed(ParallelDataModule):
    """Pairs from memory, and a count of how often they were read."""

    def __init__(
        self,
        text: Text,
        cache_directory: Path,
        tokenizer: Tokenizer | None = None,
        target_tokenizer: Tokenizer | None = None,
        batch_size: int = 4,
        max_length: int = 100,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            tokenizer or WhitespaceTokenizer(),
            target_tokenizer,
            batch_size=batch_size,
            max_length=max_length,
            num_workers=num_workers,
            cache_directory=str(cache_directory),
        )
        self.text = text
        self.reads: list[Split] = []

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        self.reads.append(split)
        yield from self.text[split]

    def content(self, split: Split) -> str:
        return hashlib.sha256(repr(self.text[split]).encode()).hexdigest()


class Counter(L.LightningModule):
    """Learns nothing; remembers the batches that it is tested on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.tested: list[SequenceBatch] = []

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        return self.weight * len(batch)

    def test_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        self.tested.append(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def trainer(directory: Path) -> L.Trainer:
    return quiet_trainer(directory, limit_train_batches=1)


def texts(data: ParallelDataModule, batches: Any) -> dict[int, tuple[str, str]]:  # noqa: ANN401 - a loader, or a list
    """The decoded pairs of all batches by index; every index may come once."""
    found: dict[int, tuple[str, str]] = {}
    for batch in batches:
        for row, index in enumerate(batch.index.tolist()):
            assert index not in found
            source, target = batch.source.values[row].tolist(), batch.target.values[row].tolist()
            found[index] = data.source_tokenizer.decode(source), data.target_tokenizer.decode(target)
    return found


def test_the_constructor_reads_nothing(tmp_path: Path) -> None:
    data = Listed(TEXT, tmp_path / "cache")
    assert data.reads == []
    assert not (tmp_path / "cache").exists()


def test_every_pair_comes_once_and_decodes_to_its_text(tmp_path: Path) -> None:
    data = Listed(TEXT, tmp_path)
    assert texts(data, data.train_dataloader()) == dict(enumerate(TEXT["train"]))
    assert texts(data, data.val_dataloader()) == dict(enumerate(TEXT["val"]))
    assert list(data.sources("test")) == [source for source, _ in TEXT["test"]]
    assert list(data.references("test")) == [target for _, target in TEXT["test"]]
    for batch in data.train_dataloader():
        assert batch.target.values[:, 0].eq(BOS).all()
        assert batch.source.values[torch.arange(len(batch)), batch.source.lengths - 1].eq(EOS).all()


def test_prediction_is_of_the_test_pairs_with_their_place_in_the_corpus(tmp_path: Path) -> None:
    data = Listed(TEXT, tmp_path, tokenizer=CharacterTokenizer(), max_length=30)
    indices = [index for batch in data.predict_dataloader() for index in batch.index.tolist()]
    assert sorted(indices) == [0, 1, 2]
    batch = data.test_dataloader().dataset[[1]]
    assert data.sources("test")[1] == data.source_tokenizer.decode(batch.source.values[0].tolist()) == "we"


def test_joint_and_separate_vocabularies(tmp_path: Path) -> None:
    joint = Listed(TEXT, tmp_path)
    assert joint.source_tokenizer is joint.target_tokenizer
    assert UNK not in joint.source_tokenizer.encode("wir saw")
    separate = Listed(TEXT, tmp_path, target_tokenizer=WhitespaceTokenizer())
    assert UNK in separate.source_tokenizer.encode("wir")
    assert UNK in separate.target_tokenizer.encode("saw")
    assert separate.source_vocabulary_size == 4 + 3 + 20
    assert separate.target_vocabulary_size == 4 + 4 + 20
    assert joint.source_vocabulary_size == joint.target_vocabulary_size == 4 + 3 + 4 + 20


def test_data_modules_do_not_share_a_tokenizer_by_accident(tmp_path: Path) -> None:
    tokenizer = WhitespaceTokenizer()
    first = Listed(TEXT, tmp_path, tokenizer, tokenizer)
    second = Listed({**TEXT, "train": TEXT["val"]}, tmp_path, tokenizer)
    before = first.source_tokenizer.fingerprint()
    assert second.source_vocabulary_size < first.source_vocabulary_size
    assert first.source_tokenizer.fingerprint() == before != first.target_tokenizer.fingerprint()
    with pytest.raises(RuntimeError, match="no vocabulary yet"):
        tokenizer.encode("we")


def test_a_second_start_reads_no_text(tmp_path: Path) -> None:
    first, second = Listed(TEXT, tmp_path), Listed(TEXT, tmp_path)
    before, after = (
        [(batch.source.values.tolist(), batch.target.values.tolist()) for batch in data.train_dataloader()]
        for data in (first, second)
    )
    assert before == after
    assert first.sources("val")[1] == second.sources("val")[1] == "cats saw"
    assert first.reads == ["train", "train", "val"]
    assert second.reads == []


def test_other_content_and_other_settings_are_prepared_anew(tmp_path: Path) -> None:
    Listed(TEXT, tmp_path).train_dataloader()
    for changed in (
        Listed({**TEXT, "train": TEXT["train"][:-1]}, tmp_path),
        Listed(TEXT, tmp_path, tokenizer=WhitespaceTokenizer(min_frequency=2)),
        Listed(TEXT, tmp_path, tokenizer=CharacterTokenizer()),
        Listed(TEXT, tmp_path, max_length=50),
    ):
        changed.train_dataloader()
        assert "train" in changed.reads


@pytest.mark.parametrize(
    ("source", "target"), [(CharacterTokenizer(), WhitespaceTokenizer()), (WhitespaceTokenizer(), CharacterTokenizer())]
)
def test_another_tokenizer_on_one_side_encodes_anew(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    Listed(TEXT, tmp_path, WhitespaceTokenizer(), WhitespaceTokenizer()).train_dataloader()
    data = Listed(TEXT, tmp_path, source, target)
    assert texts(data, data.train_dataloader()) == dict(enumerate(TEXT["train"]))


def test_training_skips_and_tells_while_a_test_set_stays_whole(
    tmp_path: Path, reports: pytest.LogCaptureFixture
) -> None:
    long = "we " * 9
    odd = [("", "wir"), ("we", "wir"), ("we", "  "), (long, "wir"), ("we", long)]
    data = Listed({**TEXT, "train": [*TEXT["train"], *odd], "test": odd}, tmp_path, max_length=8)
    data.train_dataloader()
    assert reports.messages[-1] == (
        "train: 21 pairs kept, 2 empty (the first in line 21) and 2 longer than 8 tokens (the first in line 24) skipped"
    )
    data.test_dataloader()
    assert reports.messages[-1] == "test: 3 pairs kept, 2 empty (the first in line 1) skipped"
    assert list(data.references("test")) == ["wir", "wir", long]
    data.val_dataloader()
    assert reports.messages[-1] == "val: 2 pairs kept"
    Listed(data.text, tmp_path, max_length=8).train_dataloader()  # from the cache
    assert "2 longer than 8 tokens" in reports.messages[-1]


def test_a_pair_knows_where_it_stands(tmp_path: Path) -> None:
    odd = [("", "wir"), TEXT["train"][0], ("we " * 9, "wir"), *TEXT["train"][1:]]
    data = Listed({**TEXT, "train": odd}, tmp_path, max_length=8)
    for batch in data.train_dataloader():
        index = batch.index.tolist()
        for number, position in zip(data.numbers("train", index), index, strict=True):
            assert odd[number - 1] == TEXT["train"][position]
    assert data.place("train", [3, 0, 1]) == "pairs 2, 4, 6 of the train data"


def test_what_the_vocabulary_lacks_is_told(tmp_path: Path, reports: pytest.LogCaptureFixture) -> None:
    data = Listed(TEXT, tmp_path, target_tokenizer=WhitespaceTokenizer())
    data.test_dataloader()
    assert reports.messages[-1] == "test: 3 pairs kept; unknown tokens: 16.67% of the source, 16.67% of the target"
    data.val_dataloader()
    assert reports.messages[-1] == "val: 2 pairs kept"


def test_no_pair_left_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train: 0 pairs kept, 20 longer than 2 tokens .* skipped: give data"):
        Listed(TEXT, tmp_path, max_length=2).train_dataloader()
    assert not list(tmp_path.glob("corpus-*/"))


def test_a_vocabulary_that_the_text_does_not_allow_names_the_key(tmp_path: Path) -> None:
    large = SentencePieceTokenizer(5000)
    with pytest.raises(UserError, match=r"data\.init_args\.tokenizer: vocabulary_size is 5000, but .* at most \d+"):
        _ = Listed(TEXT, tmp_path, large).source_vocabulary_size
    with pytest.raises(UserError, match=r"data\.init_args\.target_tokenizer: vocabulary_size is 5000"):
        _ = Listed(TEXT, tmp_path, WhitespaceTokenizer(), large).source_vocabulary_size


def test_settings_out_of_range_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.init_args\.batch_size is 0: give at least 1"):
        Listed(TEXT, tmp_path, batch_size=0)
    with pytest.raises(UserError, match=r"data\.init_args\.num_workers is -1: give at least 0"):
        Listed(TEXT, tmp_path, num_workers=-1)


def test_each_rank_gets_its_share_of_every_batch(tmp_path: Path) -> None:
    alone = Listed(TEXT, tmp_path)
    shares = []
    for rank in range(2):
        data = Listed(TEXT, tmp_path)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2, overfit_batches=0)
        shares.append([batch.index.tolist() for batch in data.train_dataloader()])
    whole = [batch.index.tolist() for batch in alone.train_dataloader()]
    assert [sorted(first + second) for first, second in zip(*shares, strict=True)] == [sorted(batch) for batch in whole]


def test_worker_processes_load_the_same_batches(tmp_path: Path) -> None:
    here, there = (
        [batch.source.values.tolist() for batch in Listed(TEXT, tmp_path, num_workers=workers).train_dataloader()]
        for workers in (0, 1)
    )
    assert here == there


def test_each_epoch_of_a_fit_has_its_own_order(tmp_path: Path) -> None:
    data = Listed(TEXT, tmp_path)
    model = Counter()
    orders: list[list[list[int]]] = [[], []]
    training_step = model.training_step

    def remember(batch: SequenceBatch, batch_idx: int) -> Tensor:
        orders[model.current_epoch].append(batch.index.tolist())
        return training_step(batch, batch_idx)

    model.training_step = remember
    two_epochs = trainer(tmp_path)
    two_epochs.fit_loop.max_epochs, two_epochs.limit_train_batches = 2, 1.0
    two_epochs.fit(model, data)
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(chain.from_iterable(order)) == list(range(20))


@pytest.mark.parametrize("target_tokenizer", [None, CharacterTokenizer()])
def test_a_checkpoint_brings_its_tokenizers_to_other_data(tmp_path: Path, target_tokenizer: Tokenizer | None) -> None:
    data = Listed(TEXT, tmp_path, WhitespaceTokenizer(), target_tokenizer)
    training = trainer(tmp_path)
    training.fit(Counter(), data)
    training.save_checkpoint(tmp_path / "model.ckpt")

    checkpoint = torch.load(tmp_path / "model.ckpt", weights_only=True)
    state = checkpoint["Listed"]
    assert state["source_tokenizer"]["class_path"] == "datamodules.tokenizers.WhitespaceTokenizer"
    assert (state["target_tokenizer"] is None) == (target_tokenizer is None)
    assert checkpoint["datamodule_hyper_parameters"]["tokenizer"] == {
        "class_path": "datamodules.tokenizers.WhitespaceTokenizer",
        "init_args": {"min_frequency": 1, "max_vocabulary_size": None},
    }

    other = Listed({**TEXT, "train": [("dogs", "Hunde")]}, tmp_path, tokenizer=WhitespaceTokenizer())
    other.test_dataloader()  # encoded with the vocabulary of the other data, which has no cats
    model = Counter()
    trainer(tmp_path).test(model, other, ckpt_path=str(tmp_path / "model.ckpt"), verbose=False)
    assert other.source_tokenizer.fingerprint() == data.source_tokenizer.fingerprint()
    assert other.target_tokenizer.fingerprint() == data.target_tokenizer.fingerprint()
    assert (other.source_tokenizer is other.target_tokenizer) == (target_tokenizer is None)
    (batch,) = model.tested
    row = batch.index.tolist().index(0)
    ids = [*data.source_tokenizer.encode("saw cats we"), EOS]
    assert [id_ for id_ in batch.source.values[row].tolist() if id_ != PAD] == ids
    assert other.sources("test")[0] == "saw cats we"


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no source_tokenizer"):
        Listed(TEXT, tmp_path).load_state_dict({})


def test_fingerprints_tell_each_split(tmp_path: Path) -> None:
    before, after = (
        Listed(TEXT, tmp_path).fingerprints(),
        Listed({**TEXT, "val": TEXT["test"]}, tmp_path).fingerprints(),
    )
    assert [split for split in before if before[split] != after[split]] == ["val"]
