"""What Lightning's Trainer has, and does not declare: typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lightning as L


def callbacks_of(trainer: L.Trainer) -> list[L.Callback]:
    """The callbacks of a trainer, in the order in which they are called; the list itself.

    Args:
        trainer: Just made, or later.
    """
    callbacks: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # a connector sets it
    return callbacks


def data_of(trainer: L.Trainer) -> L.LightningDataModule | None:
    """The data module of a trainer; None where it runs on loaders.

    Args:
        trainer: At work.
    """
    data: L.LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]  # a connector sets it
    return data


def logging_interval(trainer: L.Trainer) -> int:
    """The optimizer steps from one row of metrics to the next; 0 for none.

    Args:
        trainer: Just made, or later.
    """
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # a connector sets it
    return every
