"""A plateau of a loss that each process logs of its own batches."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset

from datamodules.batch import SequenceBatch
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.seq2seq import Seq2Seq

EPOCHS = 20


class OwnBatches(Dataset[SequenceBatch]):
    """Two batches that each process makes for itself."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> SequenceBatch:
        rank = int(os.environ.get("LOCAL_RANK", "0"))
        generator = torch.Generator().manual_seed(10 * index + rank)
        ids = torch.randint(4, 9, (3,), generator=generator).tolist()
        return SequenceBatch.from_pairs([ids], [ids], torch.tensor([rank]))


class RatesTold(L.Callback):
    """Writes each process's learning rates, and the sum of its weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        weights = sum(float(parameter.detach().double().sum()) for parameter in pl_module.parameters())
        self.told.append(f"{trainer.optimizers[0].param_groups[0]['lr']} {weights}")
        (self.folder / f"rank{trainer.global_rank}").write_text("\n".join(self.told))


def test_all_processes_have_one_rate_and_the_same_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Seq2Seq(
        9,
        9,
        encoder=partial(RecurrentEncoder, cell="gru", hidden_size=4),
        decoder=partial(FixedContextDecoder, cell="gru", hidden_size=8),
        embedding_size=4,
        optimizer=partial(torch.optim.SGD, lr=3.0),
        scheduler=partial(ReduceLROnPlateau, monitor="train/loss", patience=0, factor=0.5),
    )
    trainer = L.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_fork", max_epochs=EPOCHS, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        default_root_dir=tmp_path, callbacks=[RatesTold(tmp_path)],
    )  # fmt: skip
    trainer.fit(model, DataLoader(OwnBatches(), batch_size=None))
    first, second = ((tmp_path / f"rank{rank}").read_text().splitlines() for rank in (0, 1))
    assert len(first) == EPOCHS
    assert len({line.split()[0] for line in first}) > 1, "the rate fell"
    assert first == second
