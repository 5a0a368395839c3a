"""A bare LightningCLI on one linear layer: ``python -m experiments.benchmarks.bare_lightning fit``.

It imports nothing of seqlab but the callback that its arguments name: what it takes, Lightning and torch take.
"""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

FEATURES = 8


class LinearModel(L.LightningModule):
    """One linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """The mean square of what the layer makes."""
        (values,) = batch
        return self.layer(values).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters())


class ZeroDataModule(L.LightningDataModule):
    """Zeros in batches."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Eight batches."""
        return DataLoader(TensorDataset(torch.zeros(64, FEATURES)), batch_size=8)


if __name__ == "__main__":
    LightningCLI(LinearModel, ZeroDataModule, save_config_callback=None)
