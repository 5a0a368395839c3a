"""Windows over a series: what they hold, what is measured on what, and what is told of a file that is wrong."""

from __future__ import annotations

import copy
import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.errors import UserError
from datamodules.series.made import MadeSeriesDataModule
from datamodules.series.module import SeriesDataModule
from datamodules.series.splits import CountSplit, DateSplit, SeriesSplit, ShareSplit
from tests.datamodules.quiet_trainer import quiet_trainer
from tests.datamodules.series.series_files import START, write_series

SPLIT = CountSplit(train=30, val=12, test=10)


def series(path: Path, **changes: object) -> SeriesDataModule:
    given: dict[str, Any] = {"columns": ["a", "b"], "window": 5, "horizon": 3, "split": SPLIT, "seed": 0}
    return SeriesDataModule(str(path), ["time"], **(given | changes))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_series(tmp_path / "series.csv", 60, ("a", "b", "c"))
    return tmp_path / "series.csv"


def test_windows_are_slices_of_the_standardised_series(file: Path) -> None:
    data = series(file)
    numbers = np.genfromtxt(file, delimiter=",", skip_header=1)[:, 1:3]
    expected = (numbers - np.nanmean(numbers[:30], axis=0)) / np.nanstd(numbers[:30], axis=0)
    seen = set()
    for split, first, last in (("train", 5, 30), ("val", 30, 42), ("test", 42, 52)):
        windows = data.windows(split)  # type: ignore[arg-type]
        batch = windows[list(range(len(windows)))]
        for row, begin in enumerate(range(first, last - 3 + 1)):
            past, ahead = expected[begin - 5 : begin], expected[begin : begin + 3]
            np.testing.assert_allclose(batch.past[row], np.nan_to_num(past), atol=1e-6)
            np.testing.assert_allclose(batch.gold[row], np.nan_to_num(ahead), atol=1e-6)
            assert np.array_equal(batch.past_known[row], ~np.isnan(past))
            assert np.array_equal(batch.gold_known[row], ~np.isnan(ahead))
            seen |= {(split, begin + step) for step in range(3)}
        assert len(batch) == last - first - 2
    assert len({row for _, row in seen}) == len(seen)  # no row is to be predicted in two splits


def test_the_decoder_is_fed_the_step_before_and_what_is_known_ahead(file: Path) -> None:
    data = series(file, columns=["a"], covariates=["b"], known=["c"], calendar=["hour"])
    batch = data.windows("val")[[0, 4]]
    fed = batch.target_input.values
    assert data.source_feature_size == batch.source.values.shape[-1] == 2 + 2 + 1 + 2
    assert fed.shape[-1] == 2 * data.target_feature_size + data.future_feature_size
    assert torch.equal(fed[:, 0, :2], batch.source.values[:, -1, :2])
    assert torch.equal(fed[:, 1:, :2], batch.target.values[:, :-1])
    later = data.windows("val")[[2]].source.values
    assert torch.equal(fed[0, 1, 2:], later[0, -1, -3:])  # the same row, read as the past of a later window
    hours = torch.tensor([(START.hour + 34 + step) % 24 for step in range(3)]) * (2 * math.pi / 24)
    torch.testing.assert_close(fed[1, :, -2:], torch.stack([hours.sin(), hours.cos()], dim=-1), atol=1e-5, rtol=0)


def test_windows_without_anything_to_predict_are_left_out(tmp_path: Path) -> None:
    lines = write_series(tmp_path / "holes.csv", 60, ("a",))
    for row in range(10, 15):
        lines[row + 1] = lines[row + 1].rpartition(",")[0] + ",NA"
    (tmp_path / "holes.csv").write_text("\n".join(lines) + "\n")
    data = series(tmp_path / "holes.csv", columns=["a"])
    targets = [start + 5 for start in data.windows("train").starts]
    assert set(range(5, 28)) - set(targets) == {10, 11, 12}


def test_several_columns_of_time_and_compressed_files(file: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in file.read_text().splitlines()]
    parts = [[*row[0].replace("-", " ").replace(":", " ").split()[:4], *row[1:]] for row in rows[1:]]
    text = "\n".join(",".join(row) for row in [["year", "month", "day", "hour", "a", "b", "c"], *parts]) + "\n"
    with gzip.open(tmp_path / "parts.csv.gz", "wt") as packed:
        packed.write(text)
    given: dict[str, Any] = {"columns": ["a", "b"], "window": 5, "horizon": 3, "split": SPLIT}
    apart = SeriesDataModule(str(tmp_path / "parts.csv.gz"), ["year", "month", "day", "hour"], **given)
    assert apart.fingerprints() == series(file).fingerprints()
    assert apart.time("val", 0) == series(file).time("val", 0)


def test_empty_lines_are_no_rows(file: Path) -> None:
    expected, lines = series(file), file.read_text().splitlines()
    file.write_text("\n".join(["", *lines[:8], "", "   ", *lines[8:], ",,,", "", ""]))
    assert series(file).fingerprints() == expected.fingerprints()
    file.write_text("\n".join([*lines[:8], "", "   ", *lines[8:10], lines[10].replace(",", ",x", 1)]))
    with pytest.raises(UserError, match="line 13, column a: 'x"):
        _ = series(file).table


def test_a_part_of_a_time_that_no_clock_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"y,m,d,a\n2024,1,{10**30},1\n")
    with pytest.raises(UserError, match=r"line 2: '2024 1 10+' is no time: give year, month, day"):
        _ = SeriesDataModule(str(tmp_path / "a.csv"), ["y", "m", "d"], ["a"]).table


def test_splits_by_dates_and_shares(file: Path) -> None:
    by_date = series(file, split=DateSplit("2020-03-01T04:00", "2020-03-01T16:00", "2020-03-02T02:00"))
    assert by_date.rows == series(file).rows
    to_the_end = series(file, split=DateSplit("2020-03-01T04:00", "2020-03-01T16:00", "2020-03-02T10:00"))
    assert to_the_end.rows["test"] == range(42, 60)
    same = series(file, split=DateSplit("2020-03-01", "2020-03-01")).rows
    assert same["val"] == same["test"] == range(26, 60)
    assert series(file, split=ShareSplit(0.5, 0.25)).rows == {
        "train": range(30),
        "val": range(30, 45),
        "test": range(45, 60),
    }


def test_a_checkpoint_brings_its_own_mean_and_deviation(file: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "other.csv", 90, ("a", "b"))
    data, other = series(file), series(tmp_path / "other.csv", split=CountSplit(60, 12, 10))
    before = other.windows("val")[[0]].past
    other.load_state_dict(copy.deepcopy(data.state_dict()))
    assert other.scaling.state() == data.scaling.state()
    assert not torch.equal(other.windows("val")[[0]].past, before)
    with pytest.raises(UserError, match=r"trained on the columns a, b, but data.init_args has b"):
        series(file, columns=["b"]).load_state_dict(data.state_dict())


def test_an_epoch_has_every_window_once(tmp_path: Path) -> None:
    data = MadeSeriesDataModule(rows=300, window=12, horizon=6, batch_size=7)
    data.trainer = quiet_trainer(tmp_path)
    for loader, split in ((data.train_dataloader(), "train"), (data.test_dataloader(), "test")):
        index = torch.cat([batch.index for batch in loader])
        assert sorted(index.tolist()) == list(range(len(data.windows(split))))  # type: ignore[arg-type]
    assert len(data.windows("val")[[]]) == 0


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (None, "line 9: 2020-02-29 06:00:00 comes after 2020-02-29 04:00:00, a gap in time"),
        ("2020-02-29 04:00:00,1,2,3", "line 9: the time 2020-02-29 04:00:00 comes twice"),
        ("2020-02-29 03:00:00,1,2,3", "line 9: 2020-02-29 03:00:00 comes after 2020-02-29 04:00:00: sort the rows"),
        ("2020-02-29 05:00:00,1;5,2,3", "line 9, column a: '1;5' is no number"),
        ("2020-02-29 05:00:00,inf,2,3", "line 9, column a: 'inf' is no number"),
        ("2020-02-30 05:00:00,1,2,3", "line 9: '2020-02-30 05:00:00' is no time"),
        ("2020-02-29 05:00:00+01:00,1,2,3", "line 9: .* give all times a zone, or none"),
        ("2020-02-29 05:00:00,1,2", "line 9: it has 3 cells, but the header 4"),
        ('2020-02-29 05:00:00,"1,2,3', "line 9: .* a quote has to be closed"),
    ],
)
def test_a_row_that_is_wrong_is_told_by_its_line(changed: str | None, told: str, file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[8].startswith("2020-02-29 05:00:00,")
    lines[8:9] = [] if changed is None else [changed]
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=told):
        _ = series(file).table


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"columns": ["aa"]}, "a column is to be 'aa', which is no column: did you mean"),
        ({"columns": []}, "columns is empty"),
        ({"columns": ["a"], "covariates": ["a"]}, "the column 'a' is named twice"),
        ({"known": ["a"], "columns": ["b"]}, "a is missing at 2020-02-29 01:00:00, .* known ahead: fill it in"),
        ({"split": CountSplit(50, 12, 10)}, "has 60 rows, but data.init_args.split asks for 72"),
        ({"window": 28}, "the 30 rows of the train split are too few, or miss too much, for a window of 28"),
        ({"split": DateSplit("2021-01-01", "2021-02-01")}, "split.init_args.val is 2021-01-01, but .* goes from 2020"),
        (
            {"split": DateSplit("2020-03-01T04:00", "2020-03-01T16:00", "2020-03-02T11:00")},
            "split.init_args.end is 2020-03-02T11:00, but .* to 2020-03-02 09:00:00: give a time in between",
        ),
        ({"split": DateSplit("2020-02-28T22:00", "2020-03-01")}, "split.init_args.val is 2020-02-28T22:00, but"),
        ({"frequency": "1x"}, "frequency is '1x': give a number and one of s, min, h, d, w"),
        (
            {"time_zone": "Europe/Berln"},
            "time_zone is 'Europe/Berln', which is no time zone: did you mean 'Europe/Berlin'",
        ),
        ({"time_zone": "Europe"}, "time_zone is 'Europe', which is no time zone"),
        ({"time_zone": "../Berlin"}, "time_zone is '../Berlin', which is no time zone"),
        ({"frequency": "9" * 20 + "d"}, "frequency is '9+d': give a number"),
        ({"frequency": "30min"}, "a gap in time .a step is 0:30:00."),
        ({"horizon": 0}, "horizon is 0: give at least 1"),
        ({"delimiter": ""}, "delimiter is '': give one character"),
    ],
)
def test_a_setting_that_cannot_be_is_told(changes: dict[str, Any], told: str, file: Path) -> None:
    with pytest.raises(UserError, match=told):
        series(file, **changes).windows("train")


def test_a_constant_column_is_told(file: Path) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *(line.rpartition(",")[0] + ",5" for line in lines[1:])]) + "\n")
    with pytest.raises(UserError, match="the column c is always 5 in the 30 training rows"):
        series(file, covariates=["c"]).windows("train")


@pytest.mark.parametrize(("one", "other"), [("1e308", "-1e308"), ("1e200", "5"), ("1e-320", "0")])
def test_numbers_without_a_deviation_are_told(one: str, other: str, file: Path) -> None:
    lines = file.read_text().splitlines()
    changed = [f"{line.rpartition(',')[0]},{one if row % 2 else other}" for row, line in enumerate(lines[1:])]
    file.write_text("\n".join([lines[0], *changed]) + "\n")
    with pytest.raises(
        UserError, match=r"the column c has values up to .*: correct it, name what stands for a missing"
    ):
        series(file, covariates=["c"]).windows("train")


@pytest.mark.parametrize(
    "make", [lambda: ShareSplit(0.9, 0.1), lambda: CountSplit(0, 1, 1), lambda: DateSplit("x", "y")]
)
def test_splits_that_cannot_be(make: Callable[[], SeriesSplit]) -> None:
    with pytest.raises(UserError, match=r"data\.init_args\.split"):
        make()
