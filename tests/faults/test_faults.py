"""Killed anywhere, continued exactly: the same weights, rows and checkpoints as a training that was left alone.

``python -m tests.faults --kills 200`` does it for longer.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.experiments.seqlab_process import seqlab
from tests.faults.every_checkpoint import gone_on
from tests.faults.outcome import Outcome
from tests.faults.task import VARIANTS, write_task
from tests.faults.trials import Trials

pytestmark = pytest.mark.long


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_at_random_moments(variant: str, tmp_path: Path, seed: int) -> None:
    trials, kills = Trials(tmp_path, seed), 0
    while kills < 2:
        trial = trials.run(2 - kills, variant)
        kills += len(trial.moments)
        assert not trial.differences, trial


def test_two_processes_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """The second process starts with its imports, as always."""
    trials, kills = Trials(tmp_path, seed, processes=2), 0
    while not kills:
        trial = trials.run(1)
        kills += len(trial.moments)
        assert not trial.differences, trial


def test_killed_right_after_a_checkpoint_between_two_batches_of_one_step(tmp_path: Path, seed: int) -> None:
    """The first validation is there, and three checkpoints are written after it."""
    tried = dict(islice(gone_on(tmp_path, seed, "accumulating"), 3))
    assert len(tried) == 3
    assert not any(tried.values()), tried


def test_nothing_to_go_on_from(tmp_path: Path, seed: int) -> None:
    """Killed before its first checkpoint, a training begins anew in its own directory, and says so."""
    fit = ["fit", "--config", write_task(tmp_path, seed), "--trainer.default_root_dir", tmp_path / "runs"]
    fit += ["--trainer.max_epochs", 1]
    first = seqlab(*fit, "--ckpt_path", "last")
    assert first.returncode == 0, first.stderr
    assert "--ckpt_path last: there is no run yet to resume, training begins" in first.stderr
    (tmp_path / "runs" / "killed" / "2").mkdir()  # all that there is of a run that was killed at once
    second = seqlab(*fit, "--ckpt_path", "last")
    assert second.returncode == 0, second.stderr
    told = next(line for line in second.stderr.splitlines() if "--ckpt_path last" in line)
    assert "2 has no checkpoint yet, training begins in it anew" in told
    assert f"--ckpt_path {tmp_path}/runs/killed/1/checkpoints/last.ckpt" in told
    outcomes = [Outcome.of(tmp_path / "runs" / "killed" / version) for version in "12"]
    assert not outcomes[0].differences(outcomes[1])


def test_another_number_of_processes(tmp_path: Path, seed: int) -> None:
    """Two processes begin, one resumes with the same batches: without chance in the model, the weights are the same."""
    config = write_task(tmp_path, seed)

    def trained(name: str, *words: object) -> dict[str, torch.Tensor]:
        fit = ["fit", "--config", config, "--trainer.default_root_dir", tmp_path / name]
        fit += ["--model.init_args.forcing", "null", "--model.init_args.scheduler", "null"]
        fit += ["--model.init_args.dropout", 0, "--model.init_args.token_dropout", 0]
        fit += ["--model.init_args.decoder.init_args.dropout", 0, *words]
        process = seqlab(*fit)
        assert process.returncode == 0, process.stderr
        return torch.load(tmp_path / name / "killed/1/checkpoints/last.ckpt", weights_only=True)["state_dict"]

    whole = trained("whole", "--trainer.max_steps", 18)
    two = ["--trainer.devices", 2, "--trainer.strategy", "ddp"]
    trained("changed", "--trainer.max_steps", 6, *two)
    changed = trained("changed", "--trainer.max_steps", 18, "--ckpt_path", "last")
    torch.testing.assert_close(whole, changed, rtol=1e-4, atol=1e-5)
