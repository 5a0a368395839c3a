"""Checkpoints that the Trainer writes survive a full disk, and are read safely."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from datamodules.errors import RunFailed, UserError
from experiments.checkpoints.checkpoint_io import AtomicCheckpointIO


@contextmanager
def disk_with(size: int) -> Iterator[None]:
    """No file can grow beyond a size (bytes)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_round_trip(tmp_path: Path) -> None:
    plugin = AtomicCheckpointIO()
    path = tmp_path / "checkpoints" / "last.ckpt"
    plugin.save_checkpoint({"weight": torch.arange(5), "step": 3}, path)
    plugin.save_checkpoint({"weight": torch.arange(6), "step": 4}, str(path))
    loaded = plugin.load_checkpoint(path)
    assert loaded["step"] == 4
    assert loaded["weight"].tolist() == [0, 1, 2, 3, 4, 5]
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_at_any_point_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    plugin = AtomicCheckpointIO()
    path = tmp_path / "last.ckpt"
    plugin.save_checkpoint({"weight": torch.zeros(50_000)}, path)
    before = path.read_bytes()
    for size in [0, 1, 100, 1_000, len(before) // 2, len(before) - 100, len(before) - 1]:
        with disk_with(size), pytest.raises(RunFailed, match=r"^cannot write .*last\.ckpt: File too large; [^\n]*$"):
            plugin.save_checkpoint({"weight": torch.ones(50_000)}, path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
    with disk_with(len(before)):
        plugin.save_checkpoint({"weight": torch.ones(50_000)}, path)
    assert plugin.load_checkpoint(path)["weight"].sum() == 50_000


def test_the_trainer_cannot_ask_for_objects(tmp_path: Path) -> None:
    plugin = AtomicCheckpointIO()
    with pytest.raises(ValueError, match="weights_only"):
        plugin.load_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    with pytest.raises(UserError, match="there is no checkpoint"):
        plugin.load_checkpoint(tmp_path / "last.ckpt", weights_only=True)
