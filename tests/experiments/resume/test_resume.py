"""A training that is resumed, from the middle of an epoch or its end, is the one that was never interrupted."""

from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task


@pytest.mark.parametrize(
    ("interval", "step", "workers", "scheduler"),
    [
        (3, 3, 0, "null"),
        (
            3,
            10,
            2,
            "lightning_modules.schedules.WarmupSchedule",
        ),  # which makes the loader before the checkpoint is read
        (1.0, 7, 2, "null"),
    ],
    ids=["in an epoch", "in an epoch, workers and schedule", "between epochs, workers"],
)
def test_it_goes_on_exactly(
    interval: float,
    step: int,
    workers: int,
    scheduler: str,
    tmp_path: Path,
    seed: int,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """Seven batches in an epoch."""
    config = write_tiny_task(tmp_path, seed, train_size=200)

    def checkpoints(name: str, *arguments: object) -> Path:
        fit = [
            "fit", "--config", config, "--trainer.default_root_dir", tmp_path / name, "--trainer.max_epochs", 2,
            "--trainer.val_check_interval", interval, "--trainer.limit_val_batches", 1, "--trainer.logger", "false",
            "--trainer.callbacks.init_args.filename", "{step}", "--trainer.callbacks.init_args.save_top_k", -1,
            "--model.init_args.scheduler", scheduler, "--data.init_args.num_workers", workers, *arguments,
        ]  # fmt: skip
        assert main([str(word) for word in fit]) == 0
        return tmp_path / name / "tiny" / "1" / "checkpoints"

    def weights(folder: Path) -> dict[str, torch.Tensor]:
        return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]

    whole = checkpoints("whole")
    (whole / f"step-{step}.ckpt").rename(tmp_path / "interrupted.ckpt")
    rest = checkpoints("rest", "--ckpt_path", tmp_path / "interrupted.ckpt")
    after = weights(rest)
    for name, value in weights(whole).items():
        assert torch.equal(value, after[name]), name
    assert not [warning for warning in recwarn if "not resumable" in str(warning.message)]


def test_checkpoints_from_after_the_one_that_it_resumes_from_are_removed(tmp_path: Path, seed: int) -> None:
    """As where a training was killed between two of one step; what is no checkpoint stays."""
    fit = [
        "fit", "--config", write_tiny_task(tmp_path, seed, train_size=200), "--trainer.val_check_interval", 3,
        "--trainer.limit_val_batches", 1, "--trainer.logger", "false", "--trainer.callbacks.init_args.filename",
        "{step}", "--trainer.callbacks.init_args.save_top_k", -1, "--ckpt_path", "last",
    ]  # fmt: skip
    assert main([str(word) for word in [*fit, "--trainer.max_steps", 6]]) == 0
    folder = tmp_path / "runs" / "tiny" / "1" / "checkpoints"
    (folder / "step-3.ckpt").replace(folder / "last.ckpt")
    (folder / "damaged.ckpt").write_bytes(b"no archive")
    assert (folder / "step-6.ckpt").is_file()
    assert main([str(word) for word in [*fit, "--trainer.max_steps", 5]]) == 0
    names = {path.name for path in folder.iterdir()}
    assert "step-6.ckpt" not in names
    assert {"damaged.ckpt", "last.ckpt"} <= names
