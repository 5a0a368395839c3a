"""TensorBoard and MLflow, by the names that Lightning gives them: metrics, pictures, tables, and a resume."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments.cli import main
from experiments.loggers import RunMLFlowLogger, RunTensorBoardLogger
from experiments.loggers.media import MediaLogger, log_figure, log_table
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer
from tests.experiments.seqlab_process import seqlab
from tests.experiments.tiny_task import write_tiny_task

needs_tensorboard = pytest.mark.skipif(
    find_spec("tensorboard") is None, reason="no tensorboard: pip install tensorboard"
)
needs_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="no MLflow: pip install mlflow")


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
@pytest.mark.parametrize("plus", ["", "+"])
def test_without_the_package_it_is_told_how_to_install_it(
    package: str,
    plus: str,
    tmp_path: Path,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("experiments.loggers.packages.find_spec", lambda _: None)
    name = {"tensorboard": "TensorBoardLogger", "mlflow": "MLFlowLogger"}[package]
    config = write_tiny_task(tmp_path, seed, train_size=20)
    assert main(["fit", "--config", str(config), f"--trainer.logger{plus}={name}"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"seqlab: error: trainer.logger: {name} needs the package {package}: pip install {package}"
    assert not (tmp_path / "runs").exists()


def test_both_show_pictures_and_tables() -> None:
    assert issubclass(RunTensorBoardLogger, MediaLogger)
    assert issubclass(RunMLFlowLogger, MediaLogger)


@needs_tensorboard
@pytest.mark.drawn
def test_tensorboard_has_each_step_once_through_a_resume(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def begun() -> RunTensorBoardLogger:
        logger = RunTensorBoardLogger(str(tmp_path))
        trainer = make_trainer(tmp_path, logger=logger)
        logger.log_hyperparams({"model": {"size": 3}, "parts": ["a", None]})
        log_figure(trainer, "val/alignment_1", Figure(figsize=(1, 1)), step=2)
        log_table(trainer, "val/translations", ["step", "hypothesis"], [[2, "ein | Haus"]], step=2)
        return logger

    first = begun()
    for step in range(5):
        first.log_metrics({"train/loss": 1.0}, step)
    first.finalize("failed")
    resumed = begun()
    resumed.truncate(3)
    for step in range(3, 6):
        resumed.log_metrics({"train/loss": 2.0}, step)
    resumed.finalize("success")

    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in shown.Scalars("train/loss")] == [
        *((step, 1.0) for step in range(3)),
        *((step, 2.0) for step in range(3, 6)),
    ]
    assert {event.step for event in shown.Images("val/alignment_1")} == {1}, "where the metrics of the step are"
    (table, *_) = [event.tensor_proto.string_val[0] for event in shown.Tensors("val/translations/text_summary")]
    assert b"ein \\| Haus" in table


@needs_mlflow
@pytest.mark.drawn
def test_a_resumed_run_is_the_same_run_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "dates" / "3"
    store = f"sqlite:///{tmp_path}/mlflow.db"
    for command in ("fit", "fit --ckpt_path last"):
        logger = RunMLFlowLogger(str(run), tracking_uri=store)
        trainer = make_trainer(run, logger=logger)
        logger.log_hyperparams({"record": {"command": command}, "signatures": {command: "case:mixed"}})
        trainer.fit(EchoModel(), datamodule=EchoData())
        log_figure(trainer, "val/alignment_1", Figure(figsize=(1, 1)), step=8)
        log_table(trainer, "val/translations", ["hypothesis"], [["das Haus, ein Haus"]], step=8)

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("seqlab")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert (kept.info.run_name, kept.info.status) == ("dates/3", "FINISHED")
    assert kept.data.params["record/command"] == "fit", "MLflow changes no parameter"
    assert {"signatures/fit", "signatures/fit --ckpt_path last"} <= set(kept.data.params)
    assert "train/loss" in kept.data.metrics
    files = [each.path for each in client.list_artifacts(kept.info.run_id, "val")]
    assert files == ["val/translations-step000008.csv", "val/val-alignment_1-step000008.png"]


@needs_tensorboard
@needs_mlflow
def test_they_are_added_to_what_logs_already(tmp_path: Path, seed: int) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=40)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    added = [
        "--trainer.logger+=TensorBoardLogger",
        "--trainer.logger+=MLFlowLogger",
        f"--trainer.logger.tracking_uri={store}",
    ]
    ended = seqlab("fit", "--config", config, *added, "--trainer.max_epochs", 1)
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "runs" / "tiny" / "1"
    assert (run / "metrics.csv").is_file()
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert (tmp_path / "mlflow.db").is_file()
