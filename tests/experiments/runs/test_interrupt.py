"""A training that Ctrl-C ended resumes at the very next batch, as if it had never been ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.checkpoints.reading import read_checkpoint
from experiments.cli import main
from tests.experiments.resume.test_handover import assert_same, run_of
from tests.experiments.tiny_task import write_tiny_task

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of this process, which a Trainer that was interrupted leaves changed."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def fit(config: Path, name: str, *options: object) -> int:
    """Seven batches in an epoch, two epochs, validation after every third batch."""
    words = [
        "fit", "--config", config, "--version", "815", "--trainer.default_root_dir", config.parent / name,
        "--trainer.max_epochs", 2, "--trainer.val_check_interval", 3, "--trainer.log_every_n_steps", 1,
        "--trainer.logger", "experiments.loggers.MetricsCSV", "--ckpt_path", "last",
        "--trainer.callbacks.init_args.filename", "{step}", "--trainer.callbacks.init_args.save_top_k", -1, *options,
    ]  # fmt: skip
    return main([str(word) for word in words])


def interrupted(batch: int, *moments: str) -> list[object]:
    callback = "--trainer.callbacks+=tests.experiments.interrupt_callbacks.Interrupts"
    return [callback, f"--trainer.callbacks.batch={batch}", f"--trainer.callbacks.moments=[{','.join(moments)}]"]


PLAIN = [
    (1, ["on_before_optimizer_step", "on_save_checkpoint"], 2),
    (5, ["on_validation_start"], 6),
    (9, ["on_before_optimizer_step"], 10),
]
"""The batch, when in it, and the optimizer steps of the checkpoint: each from where the one before ended."""

ACCUMULATED = [
    (0, ["on_after_backward"], 1),
    (3, ["on_after_backward", "on_save_checkpoint"], 2),
    (6, ["on_after_backward"], 4),
]
"""Steps of two batches, the last of an epoch of one; a loader's process beside."""


@pytest.mark.parametrize(("accumulated", "stops"), [(1, PLAIN), (2, ACCUMULATED)])
def test_it_goes_on_as_if_nothing_had_been(
    accumulated: int, stops: list[tuple[int, list[str], int]], tmp_path: Path, seed: int,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = write_tiny_task(tmp_path, seed, train_size=200)
    options = ["--trainer.accumulate_grad_batches", accumulated, "--data.init_args.num_workers", accumulated - 1]
    options += ["--trainer.max_steps", 13 if accumulated == 1 else 7]  # it ends with a validation
    assert fit(config, "whole", *options) == 0
    last = tmp_path / "stopped" / "tiny" / "815" / "checkpoints" / "last.ckpt"
    for batch, moments, step in stops:
        assert fit(config, "stopped", *options, *interrupted(batch, *moments)) == 130
        assert read_checkpoint(last)["global_step"] == step
        told = capfd.readouterr().err
        assert told.count("a checkpoint is written after this step") == 1
        assert f"seqlab: interrupted; resume with --ckpt_path {last}" in told
    assert fit(config, "stopped", *options) == 0
    assert_same(run_of(config, "stopped"), run_of(config, "whole"))


def test_a_second_ctrl_c_ends_at_once_with_the_checkpoint_that_there_is(
    tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=200)
    assert fit(config, "runs", *interrupted(4, "on_after_backward", "on_before_optimizer_step")) == 130
    checkpoints = run_of(config, "runs") / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"step-3.ckpt", "last.ckpt"}
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] == 3
    assert f"interrupted; resume with --ckpt_path {checkpoints}/last.ckpt" in capfd.readouterr().err


def test_nothing_is_kept_of_a_trial_or_before_the_first_step(
    tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=200)
    trial = ["--trainer.fast_dev_run", 2, *interrupted(0, "on_after_backward")]
    assert main([str(word) for word in ["fit", "--config", config, *trial]]) == 130
    assert not (tmp_path / "runs").exists()
    assert capfd.readouterr().err.rstrip().endswith("seqlab: interrupted")
    assert fit(config, "begun", *interrupted(-1, "on_train_start")) == 130
    assert fit(config, "begun") == 0
    assert fit(config, "whole") == 0
    assert_same(run_of(config, "begun"), run_of(config, "whole"))
