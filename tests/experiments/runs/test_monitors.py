"""What waits for a metric is held against what is logged, before anything is trained."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import Tensor

from datamodules.batch import SequenceBatch
from experiments.cli import main
from experiments.runs.monitors import DeclaringMetrics
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.nmt import AttentionNMT
from tests.experiments.test_bad_input import told
from tests.experiments.tiny_task import write_tiny_task

CONFIGS = Path(__file__).parents[3] / "configs"
LOGGED = (
    "known: train/gradient_norm, train/learning_rate, train/loss, train/tokens_per_second, val/accuracy, val/bleu, "
    "val/chrf, val/exact_match, val/loss, val/perplexity"
)
CALLBACK = "--trainer.callbacks+=lightning.pytorch.callbacks"
OPTION = "--trainer.callbacks.init_args"
SCHEDULER = "--model.init_args.scheduler"
SHORT = ["--trainer.max_epochs", "1", "--trainer.logger", "false"]


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    return write_tiny_task(tmp_path, seed, train_size=40)


class Quiet(AttentionNMT):
    """Somebody's model, which says nothing of the metric that it logs beside its parent's."""

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        self.log("val/own", float(batch_idx), batch_size=len(batch))
        return super().validation_step(batch, batch_idx)


class Outspoken(Quiet):
    """The same, saying it."""

    def logged_metrics(self) -> set[str]:
        return super().logged_metrics() | {"val/own"}


class Guest(L.Callback):
    """Somebody's callback, which logs and says nothing of it."""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor, batch: SequenceBatch, batch_idx: int
    ) -> None:
        pl_module.log("guest/seen", 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [f"{CALLBACK}.ModelCheckpoint", f"{OPTION}.monitor=val_loss"],
            "ModelCheckpoint monitors 'val_loss', which this experiment does not log: did you mean 'val/loss'",
        ),
        (
            [f"{CALLBACK}.ModelCheckpoint", f"{OPTION}.monitor=val/blue"],
            "ModelCheckpoint monitors 'val/blue', which this experiment does not log: did you mean 'val/bleu'",
        ),
        (
            ["--trainer.callbacks+=BestCheckpoint", f"{OPTION}.monitor=val/acuracy"],
            "BestCheckpoint monitors 'val/acuracy', which this experiment does not log: did you mean 'val/accuracy'",
        ),
        (
            [f"{CALLBACK}.EarlyStopping", f"{OPTION}.monitor=epoch"],
            "EarlyStopping monitors 'epoch', which this experiment does not log: known: ",
        ),
        (
            [f"{SCHEDULER}=lightning.pytorch.cli.ReduceLROnPlateau", f"{SCHEDULER}.init_args.monitor=loss"],
            "model.init_args.scheduler monitors 'loss', which this experiment does not log: did you mean",
        ),
        (
            [f"{SCHEDULER}=torch.optim.lr_scheduler.ReduceLROnPlateau"],
            "ReduceLROnPlateau does not say which metric it monitors: take lightning.pytorch.cli.ReduceLROnPlateau",
        ),
    ],
)
def test_a_monitor_of_nothing(
    options: list[str], message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(capsys, "fit", "--config", config, *SHORT, *options)
    assert message in line
    assert LOGGED in line or "does not say" in line
    assert not list(config.parent.glob("runs/tiny/*")), "nothing has begun"


@pytest.mark.parametrize(
    "options",
    [
        [f"{CALLBACK}.ModelCheckpoint", f"{OPTION}.monitor=step", f"{OPTION}.mode=max"],
        [f"{CALLBACK}.EarlyStopping", f"{OPTION}.monitor=train/loss"],
        [f"{CALLBACK}.EarlyStopping", f"{OPTION}.monitor=val/none", f"{OPTION}.strict=false"],
        ["--trainer.limit_val_batches", "0"],
        ["--model", f"{__name__}.Outspoken", f"{CALLBACK}.ModelCheckpoint", f"{OPTION}.monitor=val/own"],
    ],
    ids=["step", "of training", "not strict", "no validation", "of a model that declares it"],
)
def test_a_monitor_of_something(options: list[str], config: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert main(["fit", "--config", str(config), *SHORT, *options]) == 0
    assert "monitors" not in caplog.text


@pytest.mark.parametrize(
    ("options", "stranger"),
    [
        (["--model", f"{__name__}.Quiet", f"{CALLBACK}.ModelCheckpoint", f"{OPTION}.monitor=val/own"], "Quiet"),
        (
            [
                f"--trainer.callbacks+={__name__}.Guest",
                f"{CALLBACK}.EarlyStopping",
                f"{OPTION}.monitor=guest/seen",
            ],
            "Guest",
        ),
        (
            [
                f"{CALLBACK}.LearningRateMonitor",
                f"{CALLBACK}.EarlyStopping",
                f"{OPTION}.monitor=lr-Adam",
                "--trainer.logger=experiments.loggers.MetricsCSV",
                "--trainer.log_every_n_steps=1",
            ],
            "LearningRateMonitor",
        ),
    ],
)
def test_what_a_stranger_may_log_is_not_refused(
    options: list[str], stranger: str, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert main(["fit", "--config", str(config), *SHORT, *options]) == 0
    assert f"which only {stranger} can log, as no other part does: " in caplog.text


DECLARED = {
    "tiny": [],
    "seq2seq/reversal_attention": ["AttentionStatistics", "ExposureBias"],
    "seq2seq/vectors": [],
    "birnn/signed_sum": [],
}


@pytest.mark.parametrize(("experiment", "callbacks"), DECLARED.items(), ids=DECLARED)
def test_what_is_declared_is_what_is_logged(
    experiment: str, callbacks: list[str], config: Path, tmp_path: Path
) -> None:
    """All that ``metrics.csv`` gets, and nothing else; with and without a schedule of teacher forcing."""
    forcing = "--model.init_args.forcing"
    schedule = [f"{forcing}.init_args.schedule=Constant", f"{forcing}.init_args.schedule.init_args.value=0.5"]
    fed = [f"{forcing}=lightning_modules.forcing.ScheduledSampling", *schedule]
    file = config if experiment == "tiny" else CONFIGS / f"{experiment}.yaml"
    options = {"limit_train_batches": 2, "limit_val_batches": 1, "max_epochs": 1, "log_every_n_steps": 1}
    words = [
        "fit", "--config", str(file), "--trainer.default_root_dir", str(tmp_path),
        "--trainer.logger", "experiments.loggers.MetricsCSV", "--trainer.accelerator", "cpu",
        *(f"--trainer.{name}={value}" for name, value in options.items()),
        *(f"--trainer.callbacks+=experiments.callbacks.{name}" for name in callbacks),
        *(fed if experiment == "seq2seq/vectors" else []),
        f"--trainer.callbacks+={__name__}.Declared", f"--trainer.callbacks.path={tmp_path / 'declared'}",
    ]  # fmt: skip
    assert main(words) == 0
    (path,) = tmp_path.glob("*/1/metrics.csv")
    with path.open(newline="") as table:
        logged = set(csv.DictReader(table).fieldnames or ()) - {"step", "epoch", "time"}
    assert logged == set((tmp_path / "declared").read_text().split())


class Declared(L.Callback):
    """Writes down what model and callbacks declare."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        parts = [pl_module, *trainer.callbacks]
        names = {name for part in parts if isinstance(part, DeclaringMetrics) for name in part.logged_metrics()}
        self.path.write_text("\n".join(names))


def test_a_plateau_lowers_the_rate_also_in_a_training_that_goes_on(config: Path) -> None:
    """The loss never gets better by a tenth, so that the rate falls at each epoch after the first."""
    plateau = [
        "fit", "--config", str(config), "--trainer.logger", "experiments.loggers.MetricsCSV",
        f"{SCHEDULER}=lightning.pytorch.cli.ReduceLROnPlateau", f"{SCHEDULER}.init_args.monitor=val/loss",
        f"{SCHEDULER}.init_args.threshold=0.9", f"{SCHEDULER}.init_args.patience=0", "--trainer.log_every_n_steps=1",
        "--trainer.callbacks.init_args.monitor=epoch",
    ]  # fmt: skip

    def rates(name: str) -> list[float]:
        with (config.parent / name / "tiny" / "1" / "metrics.csv").open(newline="") as file:
            return [float(row["train/learning_rate"]) for row in csv.DictReader(file) if row["train/learning_rate"]]

    def weights(name: str) -> dict[str, Tensor]:
        last = config.parent / name / "tiny" / "1" / "checkpoints" / "last.ckpt"
        return torch.load(last, weights_only=True)["state_dict"]

    whole, rest = (["--trainer.default_root_dir", str(config.parent / name)] for name in ("whole", "rest"))
    assert main([*plateau, *whole, "--trainer.max_epochs", "4"]) == 0
    assert main([*plateau, *rest, "--trainer.max_epochs", "3"]) == 0
    assert main([*plateau, *rest, "--trainer.max_epochs", "4", "--ckpt_path", "last"]) == 0
    assert rates("whole") == pytest.approx([rate for power in (0, 0, 1, 2) for rate in [0.006 * 0.1**power] * 2])
    assert rates("rest") == rates("whole")
    expected = weights("whole")
    assert all(torch.equal(value, expected[name]) for name, value in weights("rest").items())
