"""Forecasting through the command line: it is learned, measured, written, and goes on after the end of a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from datamodules.series.made import COLUMNS, made_table
from experiments.checkpoints.forecaster import load_forecaster
from experiments.cli import main
from tests.experiments.explorer.exported_page import answer

CONFIGS = Path(__file__).parents[2] / "configs" / "forecasting"
ROWS, WINDOW, HORIZON = 900, 48, 12

SHORT = {
    "data.init_args.rows": ROWS,
    "data.init_args.horizon": HORIZON,
    "trainer.max_epochs": 1,
    "trainer.num_sanity_val_steps": 0,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}
SMALL = {
    "model.init_args.encoder.init_args.hidden_size": 8,
    "model.init_args.decoder.init_args.hidden_size": 16,
    "data.init_args.stride": 3,
}


def words_of(folder: Path, *models: str, **further: object) -> list[str]:
    options = SHORT | (SMALL if not models else {}) | {"trainer.default_root_dir": folder} | further
    files = [CONFIGS / "sample.yaml", *(CONFIGS / "models" / f"{model}.yaml" for model in models)]
    return [
        *(word for file in files for word in ("--config", str(file))),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


def scores_of(run: Path) -> dict[str, float]:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: float(value) for row in rows for name, value in row.items() if value and name.startswith("test/")}


def write_made(path: Path, first: int, last: int, names: tuple[str, ...] = COLUMNS) -> None:
    """Writes hours of the sample's series as its files are written."""
    table = made_table(ROWS, 0.02, 0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *names])
        for row in range(first, last):
            cells = ("" if np.isnan(value) else repr(float(value)) for value in table.columns(names)[row])
            writer.writerow([table.time(row), *cells])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training, and its forecasts for the test split."""
    folder = tmp_path_factory.mktemp("runs")
    assert main(["fit", *words_of(folder)]) == 0
    assert main(["predict", *words_of(folder)]) == 0
    return folder / "made_series" / "1"


def test_intervals_and_errors_are_measured(run: Path) -> None:
    assert main(["test", *words_of(run.parents[1])]) == 0
    scores = scores_of(run)
    assert {"test/mse_step_1", f"test/mae_step_{HORIZON}", "test/exposure_gap"} <= set(scores)
    assert 0.0 < scores["test/coverage"] <= 1.0
    assert 0.0 < scores["test/crps"] < scores["test/mae"]
    assert list((run / "figures").glob("val-forecast_2-step*.png"))


def test_predictions_are_in_the_units_of_the_data(run: Path) -> None:
    with (run / "predictions.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    table = made_table(ROWS, 0.02, 0)
    times = [str(table.time(row)) for row in range(ROWS)]
    assert len({(row["time"], row["column"]) for row in rows}) == len(rows)
    for row in rows:
        truth = table.columns([row["column"]])[times.index(row["time"]), 0]
        assert row["truth"] == "" if np.isnan(truth) else float(row["truth"]) == pytest.approx(truth, rel=1e-4)
        assert float(row["lower"]) < float(row["forecast"]) < float(row["upper"])


def test_what_comes_after_a_file_is_what_the_test_would_have_said(run: Path, tmp_path: Path) -> None:
    """The first window of the test split, cut out as a file, has the forecast that predict wrote for it."""
    with (run / "predictions.tsv").open() as file:
        said = list(csv.DictReader(file, delimiter="\t"))[: 2 * HORIZON]
    begin = round(0.85 * ROWS)
    write_made(tmp_path / "until.csv", begin - WINDOW - 5, begin)
    write_made(tmp_path / "plan.csv", begin - 2, begin + HORIZON + 1, ("open",))
    given = ["--input", str(tmp_path / "until.csv"), "--future", str(tmp_path / "plan.csv")]
    output = tmp_path / "ahead.csv"
    assert main(["forecast", "--ckpt_path", str(run), *given, "--output", str(output)]) == 0
    with output.open() as file:
        found = list(csv.DictReader(file))
    assert [(row["time"], row["column"]) for row in found] == [(row["time"], row["column"]) for row in said]
    for one, other in zip(found, said, strict=True):
        for name, like in (("value", "forecast"), ("lower", "lower"), ("upper", "upper")):
            assert float(one[name]) == pytest.approx(float(other[like]), rel=1e-4)


def test_the_explorer_shows_it_over_what_came(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (run / "predictions.tsv").open() as file:
        said = list(csv.DictReader(file, delimiter="\t"))[: 2 * HORIZON]
    begin = round(0.85 * ROWS)
    series, page = tmp_path / "series.csv", tmp_path / "page.html"
    write_made(series, begin - WINDOW - 5, begin + HORIZON)
    options = ["--ckpt_path", str(run), "--export", str(page), "--device", "cpu"]
    assert main(["explore", *options, "--input", str(series)]) == 0
    shown = answer(page, "/api/forecast")
    assert shown["row"] == WINDOW + 5
    assert np.sum(shown["weights"], axis=1) == pytest.approx(1.0, abs=1e-5)
    for column in shown["columns"]:
        rows = [row for row in said if row["column"] == column["name"]]
        assert shown["times"][WINDOW:] == [row["time"] for row in rows]
        for name in ("truth", "forecast", "lower", "upper"):
            for one, row in zip(column[name], rows, strict=True):
                assert one is None if row[name] == "" else one == pytest.approx(float(row[name]), rel=1e-4)
    assert main(["explore", *options]) == 2
    assert "forecasts: give the series by --input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "plan", "told"),
    [
        ((0, 40), (40, 60), "has 40 rows, but the model reads 48: give a longer series"),
        ((0, 60), None, "give --future, a CSV file of 12 rows from 2024-01-03 12:00:00 on, with open"),
        ((0, 60), (60, 70), "goes from 2024-01-03 12:00:00 to 2024-01-03 21:00:00: give 12 rows from"),
        ((0, 60), (61, 90), "goes from 2024-01-03 13:00:00 to .*: give 12 rows from 2024-01-03 12:00:00 on"),
    ],
)
def test_series_that_cannot_go_on(
    rows: tuple[int, int],
    plan: tuple[int, int] | None,
    told: str,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_made(tmp_path / "until.csv", *rows)
    words = ["forecast", "--ckpt_path", str(run), "--input", str(tmp_path / "until.csv")]
    if plan is not None:
        write_made(tmp_path / "plan.csv", *plan, ("open",))
        words += ["--future", str(tmp_path / "plan.csv")]
    output = tmp_path / "ahead.csv"
    assert main([*words, "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("seqlab: error: ")
    assert error.count("\n") == 1
    assert not output.exists()
    assert re.search(told, error)


def test_dlinear_learns_more_than_the_day_before(tmp_path: Path) -> None:
    scores = {}
    for model, epochs in (("dlinear", 4), ("same_hour", 1)):
        words = words_of(tmp_path, model, experiment=model, **{"trainer.max_epochs": epochs})
        assert main(["fit", *words]) == 0
        assert main(["test", *words]) == 0
        scores[model] = scores_of(tmp_path / model / "1")["test/mse"]
    assert scores["dlinear"] < scores["same_hour"]
    model, series = load_forecaster(next((tmp_path / "dlinear" / "1" / "checkpoints").glob("best*.ckpt")), [])
    assert not model.likelihood.has_interval
    assert list(series.layout.columns) == ["load", "heat"]


def test_own_data_in_three_lines_and_a_fault_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the head of the config says it; a gap in time is told with its line before anything is trained."""
    file, own = tmp_path / "mine.csv", tmp_path / "own.yaml"
    lines = ["data:", "  class_path: SeriesDataModule", f"  init_args: {{file: {file}, time: [time], columns: [load]}}"]
    own.write_text("\n".join(lines) + "\n")
    options = {key: value for key, value in (SHORT | SMALL).items() if not key.endswith("rows")}
    options |= {"trainer.default_root_dir": tmp_path / "runs", "trainer.limit_train_batches": 2}
    words = ["--config", str(CONFIGS / "sample.yaml"), "--config", str(own)]
    words += [f"--{name}={value}" for name, value in options.items()]
    write_made(file, 0, 500)
    whole = file.read_text().splitlines(keepends=True)
    file.write_text("".join(whole[:200] + whole[201:]))
    assert main(["fit", *words]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        f"seqlab: error: {file}, line 201: 2024-01-09 08:00:00 comes after 2024-01-09 06:00:00, a gap"
    )
    assert not list((tmp_path / "runs").rglob("*.ckpt"))
    file.write_text("".join(whole))
    assert main(["fit", *words]) == 0
    (checkpoint,) = (tmp_path / "runs").rglob("best.ckpt")
    assert main(["forecast", "--ckpt_path", str(checkpoint), "--input", str(file)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()[-HORIZON - 1 :]))
    table = made_table(ROWS, 0.02, 0)
    assert [row["time"] for row in rows] == [str(table.time(500 + step)) for step in range(HORIZON)]
