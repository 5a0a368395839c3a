"""One process or several, whole batches or accumulated ones: the same gradients, losses and scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batch import LabelledBatch, Padded, SequenceBatch, VectorBatch
from datamodules.reversal import ReversalDataModule
from datamodules.synthetic import SyntheticDataModule
from datamodules.vector_reversal import VectorReversalDataModule
from experiments.callbacks import TextMetrics
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.decoder import FixedContextDecoder, LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.layers.transformer.encoder import TransformerEncoder
from lightning_modules.nmt import AttentionNMT
from lightning_modules.seq2seq import Seq2Seq
from lightning_modules.training.step_loss import StepLossModule
from lightning_modules.vector_seq2seq import VectorSeq2Seq

LENGTHS = (1, 31, 2, 24, 40, 3, 1, 17, 2, 36, 1)
"""Lengths of the sources: very different, so that a mean of means would show."""

VOCABULARY = 9

encoder = partial(RecurrentEncoder, cell="gru", hidden_size=5)
Batch = SequenceBatch | VectorBatch | LabelledBatch


def vectors(rows: Sequence[int], salt: int) -> Padded:
    """The same vectors for a row in whatever batch it is, in double precision."""
    lengths = torch.tensor([LENGTHS[row] for row in rows], dtype=torch.long)
    values = torch.zeros(len(rows), int(lengths.max()) if rows else 0, 3, dtype=torch.float64)
    for place, row in enumerate(rows):
        generator = torch.Generator().manual_seed(1000 * salt + row)
        values[place, : LENGTHS[row]] = torch.randn(LENGTHS[row], 3, generator=generator, dtype=torch.float64)
    return Padded(values, lengths)


def sentences(rows: Sequence[int]) -> SequenceBatch:
    def ids(row: int, length: int) -> list[int]:
        return torch.randint(4, VOCABULARY, (length,), generator=torch.Generator().manual_seed(row)).tolist()

    targets = [ids(row, LENGTHS[-row]) for row in rows]
    return SequenceBatch.from_pairs([ids(row, LENGTHS[row]) for row in rows], targets, torch.tensor(rows))


def pairs_of_vectors(rows: Sequence[int]) -> VectorBatch:
    return VectorBatch(vectors(rows, 1), vectors(rows, 2), torch.tensor(rows))


def labelled(rows: Sequence[int]) -> LabelledBatch:
    return LabelledBatch(
        vectors(rows, 3), torch.tensor([row % 3 for row in rows], dtype=torch.long), torch.tensor(rows)
    )


@dataclass(frozen=True)
class Task:
    """A model, and how a batch is made of rows of its corpus."""

    make: Callable[..., StepLossModule]
    batch: Callable[[Sequence[int]], Batch]


TASKS = {
    "AttentionNMT": Task(
        partial(
            AttentionNMT, VOCABULARY, VOCABULARY, encoder, partial(LuongDecoder, hidden_size=6, cell="gru"),
            embedding_size=4, label_smoothing=0.1,
        ),
        sentences,
    ),
    "AttentionNMT of a Transformer": Task(
        partial(
            AttentionNMT, VOCABULARY, VOCABULARY, partial(TransformerEncoder, hidden_size=8, heads=2, layers=2),
            partial(TransformerDecoder, hidden_size=8, heads=2, layers=2), embedding_size=4, tied="all",
        ),
        sentences,
    ),
    "Seq2Seq": Task(
        partial(
            Seq2Seq, VOCABULARY, VOCABULARY, encoder, partial(FixedContextDecoder, hidden_size=6, cell="gru"),
            embedding_size=4,
        ),
        sentences,
    ),
    "VectorSeq2Seq": Task(partial(VectorSeq2Seq, 3, 3, encoder, embedding_size=4), pairs_of_vectors),
    "BiRNNClassifier": Task(partial(BiRNNClassifier, 3, 3, encoder), labelled),
}  # fmt: skip


class Planned(L.LightningDataModule):
    """Global batches, of which each rank takes every world_size-th row."""

    def __init__(self, batch: Callable[[Sequence[int]], Batch], plan: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.batch = batch
        self.plan = plan

    def train_dataloader(self) -> DataLoader[Batch]:
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        return DataLoader([self.batch(rows[rank::ranks]) for rows in self.plan], batch_size=None)


class Losses(L.Callback):
    """Writes down the loss of each batch, summed over the ranks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.losses: list[float] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: dict[str, Tensor], batch: Batch, batch_idx: int
    ) -> None:
        self.losses.append(float(trainer.strategy.reduce(outputs["loss"].detach().clone(), reduce_op="sum")))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            self.path.write_text(json.dumps(self.losses))


def trainer_of(folder: Path, processes: int, **options: Any) -> L.Trainer:  # noqa: ANN401 - what a Trainer takes
    return L.Trainer(
        accelerator="cpu", devices=processes, strategy="auto" if processes == 1 else "ddp_fork", logger=False,
        use_distributed_sampler=False, default_root_dir=folder, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip


def trained(
    task: Task, seed: int, folder: Path, plan: Sequence[Sequence[int]], processes: int, rate: float, **options: object
) -> tuple[dict[str, Tensor], list[float]]:
    """The weights after a training, and the losses on its way."""
    torch.manual_seed(seed)
    module = task.make(optimizer=partial(torch.optim.SGD, lr=rate)).double()
    path = folder / "losses.json"
    trainer_of(folder, processes, callbacks=[Losses(path)], **options).fit(module, Planned(task.batch, plan))
    return {name: value.clone() for name, value in module.state_dict().items()}, json.loads(path.read_text())


@pytest.mark.parametrize("name", TASKS)
def test_the_gradient_of_a_step_is_that_of_all_its_rows(name: str, tmp_path: Path, seed: int) -> None:
    """With a rate of 1 a step changes the weights by the gradient."""
    rows = list(range(len(LENGTHS)))
    halves = [rows[:5], rows[5:]]
    begin, _ = trained(TASKS[name], seed, tmp_path, [rows], 1, rate=0.0, max_epochs=1)
    whole, _ = trained(TASKS[name], seed, tmp_path, [rows], 1, rate=1.0, max_epochs=1)
    assert max(float((whole[key] - value).abs().max()) for key, value in begin.items()) > 1e-3
    for plan, processes in (([rows], 2), (halves, 1), (halves, 2)):
        parts, _ = trained(
            TASKS[name], seed, tmp_path, plan, processes, rate=1.0, max_epochs=1, accumulate_grad_batches=len(plan)
        )
        for key, value in whole.items():
            torch.testing.assert_close(parts[key], value, rtol=0, atol=1e-9, msg=f"{key}, {len(plan)}, {processes}")


@pytest.mark.parametrize("name", TASKS)
def test_training_has_the_same_losses_on_any_number_of_processes(name: str, tmp_path: Path, seed: int) -> None:
    """Some shares are empty. The gradient is clipped after it was summed."""
    plan = [[0, 1, 2, 3, 4], [5], [6, 7, 8], [9, 10]]
    options = {"rate": 0.5, "max_epochs": 3, "gradient_clip_val": 0.3}
    expected, losses = trained(TASKS[name], seed, tmp_path, plan, 1, **options)
    assert losses[-len(plan)] != losses[0]
    for processes in (2, 3):
        weights, found = trained(TASKS[name], seed, tmp_path, plan, processes, **options)
        assert found == pytest.approx(losses, rel=1e-9)
        for key, value in expected.items():
            torch.testing.assert_close(weights[key], value, rtol=0, atol=1e-9)


class Seen(L.Callback):
    """Writes down which rows each rank has tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[int] = []

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.rows += batch.index.tolist()

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        (self.folder / f"rank{trainer.global_rank}.json").write_text(json.dumps(self.rows))


def scores_of(name: str, seed: int, folder: Path, processes: int) -> tuple[dict[str, float], list[int]]:
    """The scores of an untrained model on 31 examples, and which of them were looked at."""
    torch.manual_seed(seed)
    callbacks: list[L.Callback] = [Seen(folder)]
    module: L.LightningModule
    data: L.LightningDataModule
    sizes = {"test_size": 31, "eval_batch_size": 8, "corpus_seed": seed}
    if name.startswith(("AttentionNMT", "Seq2Seq")):
        data = ReversalDataModule(alphabet_size=5, min_length=1, max_length=9, cache_directory=str(folder), **sizes)
        module = TASKS[name].make().double()
        with torch.no_grad():
            module.output.bias[4] += 9.0  # some tokens at least are right
        callbacks.append(TextMetrics())
    elif name == "VectorSeq2Seq":
        data = VectorReversalDataModule(num_features=3, min_length=1, max_length=9, **sizes)
        module = TASKS[name].make()
    else:
        data = SyntheticDataModule(num_features=3, min_length=1, max_length=9, **sizes)
        module = TASKS[name].make()
    (scores,) = trainer_of(folder, processes, callbacks=callbacks).test(module, datamodule=data, verbose=False)
    rows = [row for rank in range(processes) for row in json.loads((folder / f"rank{rank}.json").read_text())]
    return dict(scores), rows


@pytest.mark.parametrize("name", TASKS)
def test_scores_are_exact_on_any_number_of_processes(name: str, tmp_path: Path, seed: int) -> None:
    """31 examples in batches of 8: no number of processes divides them."""
    expected, rows = scores_of(name, seed, tmp_path, 1)
    assert sorted(rows) == list(range(31))
    for processes in (2, 3):
        scores, rows = scores_of(name, seed, tmp_path, processes)
        assert sorted(rows) == list(range(31)), "each example once"
        assert scores.keys() == expected.keys()
        for score, value in expected.items():
            counted = score in ("test/accuracy", "test/bleu", "test/chrf", "test/exact_match")
            # A gap between two losses is as exact as they are.
            size = max(abs(value), expected["test/loss"]) if score == "test/exposure_gap" else abs(value)
            assert scores[score] == (value if counted else pytest.approx(value, abs=max(1e-6 * size, 1e-7))), score
