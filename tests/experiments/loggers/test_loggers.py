"""The CSV file holds each row once whatever happens, and W&B stands in nobody's way."""

from __future__ import annotations

import csv
import json
import logging
import resource
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
import wandb
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from matplotlib.figure import Figure

from datamodules.errors import RunFailed, UserError
from experiments.loggers import MetricsCSV, RunWandbLogger, run_wandb
from experiments.loggers.media import log_figure, log_table
from experiments.loggers.run_wandb import wandb_mode
from experiments.resume.fit_loop import go_on_exactly
from experiments.resume.truncate_metrics import TruncateMetrics
from experiments.storage.metrics_table import read_metrics
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer
from tests.experiments.wandb_log import history, records

pytestmark = [pytest.mark.drawn, pytest.mark.wandb]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(run: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "time"} for row in rows(run)]


class TestMetricsCSV:
    def test_every_row_is_on_disk_as_soon_as_it_is_logged(self, tmp_path: Path) -> None:
        logger = MetricsCSV(str(tmp_path))
        before = time.time()
        logger.log_metrics({"train/loss": 0.1, "epoch": 0}, step=4)
        assert without_time(tmp_path) == [{"step": "4", "epoch": "0", "train/loss": "0.1"}]
        assert before - 0.01 <= float(rows(tmp_path)[0]["time"]) <= time.time() + 0.01

        logger.log_metrics({"train/loss": torch.tensor(0.5)}, step=9)
        assert without_time(tmp_path)[1] == {"step": "9", "epoch": "", "train/loss": "0.5"}

    def test_a_metric_that_comes_later_gets_a_column_and_costs_no_row(self, tmp_path: Path) -> None:
        logger = MetricsCSV(str(tmp_path))
        logger.log_metrics({"a": 1.0}, step=0)
        logger.log_metrics({"b": 2.0}, step=1)
        logger.log_metrics({"a": 3.0}, step=2)

        assert [(row["step"], row["a"], row["b"]) for row in rows(tmp_path)] == [
            ("0", "1.0", ""),
            ("1", "", "2.0"),
            ("2", "3.0", ""),
        ]
        assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"], "nothing is left of the rewriting"

    def test_a_row_that_a_kill_tore_off_is_dropped_and_the_file_gone_on_with(self, tmp_path: Path) -> None:
        MetricsCSV(str(tmp_path)).log_metrics({"a": 1.0}, step=0)
        with (tmp_path / "metrics.csv").open("a") as file:
            file.write("1,,17")

        MetricsCSV(str(tmp_path)).log_metrics({"a": 2.0}, step=1)
        assert [(row["step"], row["a"]) for row in rows(tmp_path)] == [("0", "1.0"), ("1", "2.0")]

    def test_cutting_back_removes_what_came_after_the_checkpoint(self, tmp_path: Path) -> None:
        logger = MetricsCSV(str(tmp_path))
        for step in range(5):
            logger.log_metrics({"a": float(step)}, step=step)
        MetricsCSV(str(tmp_path)).truncate(3)
        assert [row["step"] for row in rows(tmp_path)] == ["0", "1", "2"]
        MetricsCSV(str(tmp_path)).truncate(3, rows=2)
        assert [row["step"] for row in rows(tmp_path)] == ["0", "1"]

    def test_a_run_may_be_tested_while_it_trains(self, tmp_path: Path) -> None:
        training, test = MetricsCSV(str(tmp_path)), MetricsCSV(str(tmp_path))
        training.log_metrics({"val/loss": 3.0}, step=0)
        test.log_metrics({"test/loss": 2.0}, step=0)
        training.log_metrics({"val/loss": 1.0}, step=1)
        in_checkpoint = training.synced_rows()
        training.log_metrics({"train/loss": 4.0}, step=2)
        test.log_metrics({"test/other": 5.0}, step=0)
        logged = {name: [each.value for each in found] for name, found in read_metrics(training.path).items()}
        assert logged == {"val/loss": [3.0, 1.0], "test/loss": [2.0], "train/loss": [4.0], "test/other": [5.0]}
        MetricsCSV(str(tmp_path)).truncate(2, in_checkpoint)
        logged = {name: [each.value for each in found] for name, found in read_metrics(training.path).items()}
        assert logged == {"val/loss": [3.0, 1.0], "test/loss": [2.0]}, "no row of the checkpoint is lost"

    def test_a_full_disk_is_one_line_and_the_rows_before_are_whole(self, tmp_path: Path) -> None:
        logger = MetricsCSV(str(tmp_path))
        logger.log_metrics({"a": 1.0}, step=0)
        size = (tmp_path / "metrics.csv").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4, limits[1]))
        try:
            with pytest.raises(RunFailed) as failed:
                logger.log_metrics({"a": 2.0}, step=1)
            with pytest.raises(RunFailed):
                logger.log_metrics({"a": 2.0, "b": 1.0}, step=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert str(tmp_path / "metrics.csv") in str(failed.value)
        assert "\n" not in str(failed.value)

        MetricsCSV(str(tmp_path)).log_metrics({"a": 2.0}, step=1)
        assert [(row["step"], row["a"]) for row in rows(tmp_path)] == [("0", "1.0"), ("1", "2.0")]

    def test_without_a_directory_it_says_what_to_do(self) -> None:
        with pytest.raises(UserError, match="save_dir"):
            MetricsCSV().log_metrics({"a": 1.0}, step=0)

    @pytest.mark.parametrize("saved_every", [{"every_n_train_steps": 3}, {"save_on_train_epoch_end": True}])
    def test_a_resumed_run_has_the_rows_of_an_uninterrupted_one(
        self, tmp_path: Path, saved_every: dict[str, Any]
    ) -> None:
        def fit(run: Path, epochs: int, checkpoint: Path | None = None) -> None:
            callbacks = [
                TruncateMetrics(),
                LearningRateMonitor(logging_interval="step"),
                ModelCheckpoint(tmp_path / "checkpoints" / run.name, "{step}", save_top_k=-1, **saved_every),
            ]
            logger = MetricsCSV(str(run))
            options = {"logger": logger, "callbacks": callbacks, "enable_checkpointing": True, "log_every_n_steps": 1}
            trainer = make_trainer(run, max_epochs=epochs, **options)
            go_on_exactly(trainer)
            trainer.fit(EchoModel(), datamodule=EchoData(), ckpt_path=checkpoint)

        fit(tmp_path / "whole", epochs=3)
        fit(tmp_path / "killed", epochs=2)
        earliest = min((tmp_path / "checkpoints" / "killed").glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        assert len(rows(tmp_path / "killed")) > 4
        fit(tmp_path / "killed", epochs=3, checkpoint=earliest)

        assert without_time(tmp_path / "killed") == without_time(tmp_path / "whole")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine without an account, and with a W&B server that does not answer."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DISABLED", "WANDB_RUN_ID", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.usefixtures("nobody")
class TestRunWandbLogger:
    def test_without_an_account_a_run_is_offline_and_complete(self, tmp_path: Path) -> None:
        run = tmp_path / "runs" / "dates" / "3"
        loggers = [MetricsCSV(str(run)), RunWandbLogger(str(run), tags=["small"], group="tests")]
        started = time.monotonic()
        trainer = make_trainer(run, logger=loggers)
        trainer.fit(EchoModel(), datamodule=EchoData())
        figure = Figure(figsize=(1, 1))
        log_figure(trainer, "val/alignment_1", figure, step=8)
        log_table(trainer, "val/translations", ["step", "hypothesis"], [[4, "ein Haus"], [8, "das Haus"]], step=8)
        command = loggers[1].sync_command()
        loggers[1].log_hyperparams({"seed": 5})
        loggers[1].finish()
        wandb.teardown()  # returns when the service has written everything
        assert time.monotonic() - started < 30

        (directory,) = (run / "wandb").glob("offline-run-*")
        assert command == f"wandb sync {directory}"
        logged = history(directory)
        for name in ("train/loss", "val/loss"):
            in_csv = [(int(row["step"]), float(row[name])) for row in rows(run) if row[name]]
            assert [(row["trainer/global_step"], row[name]) for row in logged if name in row] == in_csv
            assert in_csv

        picture = next(row for row in logged if any(key.startswith("val/alignment_1") for key in row))
        assert picture["val/alignment_1/_type"] == "images/separated"
        assert [path.read_bytes() for path in directory.glob("files/media/images/val/*.png")] == [
            (run / "figures" / "val-alignment_1-step000008.png").read_bytes()
        ]
        (table,) = directory.glob("files/media/table/val/*.table.json")
        content = json.loads(table.read_text())
        assert content["columns"] == ["step", "hypothesis"]
        assert content["data"] == [[4, "ein Haus"], [8, "das Haus"]]

        (begun,) = (record.run for record in records(next(directory.glob("*.wandb"))) if record.HasField("run"))
        assert (begun.project, begun.display_name, begun.run_group, list(begun.tags)) == (
            "seqlab",
            "dates/3",
            "tests",
            ["small"],
        )

    def test_a_resumed_run_is_the_same_run(self, tmp_path: Path) -> None:
        def begin(run: Path) -> RunWandbLogger:
            logger = RunWandbLogger(str(run))
            logger.log_metrics({"a": 1.0}, step=0)
            logger.finish()
            return logger

        first, second, other = begin(tmp_path / "1"), begin(tmp_path / "1"), begin(tmp_path / "2")
        assert first.experiment.id == second.experiment.id != other.experiment.id
        parts = sorted(str(part) for part in (tmp_path / "1" / "wandb").glob("offline-run-*"))
        assert len(parts) == 2
        assert second.sync_command() == f"wandb sync {parts[0]} {parts[1]}"

    def test_a_key_that_nobody_confirms_costs_seconds_and_is_told(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
        monkeypatch.setattr(run_wandb, "LOGIN_TIMEOUT", 1)
        started = time.monotonic()
        assert wandb_mode() == "offline"
        assert time.monotonic() - started < 5
        assert "offline" in caplog.text

    def test_an_account_that_the_server_refuses_is_offline_and_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Refusing(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def do_POST(self) -> None:
                self.send_response(401)
                self.end_headers()

            def log_message(self, format: str, *values: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
        wandb.teardown()
        logger = RunWandbLogger(str(tmp_path))
        logger.log_metrics({"a": 1.5}, step=3)
        logger.finish()
        wandb.teardown()
        server.shutdown()

        (warning,) = (record.getMessage() for record in caplog.records if record.name.startswith("experiments"))
        assert warning.startswith("W&B does not take the run, it is offline: ")
        assert "401" in warning
        (directory,) = (tmp_path / "wandb").glob("offline-run-*")
        assert [row["a"] for row in history(directory) if "a" in row] == [1.5]
        assert logger.sync_command() == f"wandb sync {directory}"

    def test_online_on_request_without_an_account_is_offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WANDB_MODE", "online")
        assert wandb_mode() == "offline"

    @pytest.mark.parametrize(("name", "value"), [("WANDB_MODE", "disabled"), ("WANDB_DISABLED", "true")])
    def test_disabled_writes_nothing(
        self, name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        logger = RunWandbLogger(str(tmp_path / "run"))
        logger.log_metrics({"a": 1.0}, step=0)
        logger.log_hyperparams({"a": 1})

        assert logger.sync_command() is None
        assert not (tmp_path / "run").exists()

    def test_what_fails_in_wandb_is_one_warning_and_training_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(**options: object) -> None:
            raise ConnectionError("the service\ndied")

        monkeypatch.setattr("wandb.init", broken)
        logger = RunWandbLogger(str(tmp_path))
        trainer = make_trainer(tmp_path, logger=[MetricsCSV(str(tmp_path)), logger])
        with caplog.at_level(logging.WARNING, logger="experiments"):
            trainer.fit(EchoModel(), datamodule=EchoData())
            log_table(trainer, "val/translations", ["step"], [[1]], step=1)

        assert [record.getMessage() for record in caplog.records if record.name.startswith("experiments")] == [
            "W&B is off for the rest of this run, metrics.csv goes on: the service died"
        ]
        assert any(row["val/loss"] for row in rows(tmp_path))
        assert logger.sync_command() is None

    def test_what_fails_later_is_one_warning_as_well(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        logger = RunWandbLogger(str(tmp_path))
        run = logger.experiment

        def broken(*values: object) -> None:
            raise BrokenPipeError("gone")

        monkeypatch.setattr(run, "log", broken)
        logger.log_metrics({"a": 1.0}, step=0)
        logger.log_metrics({"a": 1.0}, step=1)
        assert caplog.text.count("W&B is off") == 1

    def test_making_one_starts_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "wandb", None)  # importing it would raise
        RunWandbLogger(str(tmp_path / "run"))
        assert not (tmp_path / "run").exists()
