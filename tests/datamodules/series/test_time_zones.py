"""Times of clocks that are changed twice a year."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from datamodules.errors import UserError
from datamodules.series.ahead import SeriesFormat
from datamodules.series.module import SeriesDataModule
from datamodules.series.splits import CountSplit, DateSplit

BERLIN = ZoneInfo("Europe/Berlin")
BACK, FORWARD = datetime(2024, 10, 27, 1, tzinfo=UTC), datetime(2024, 3, 31, 1, tzinfo=UTC)
"""When the clocks of Berlin were put back, and forward."""


def local(start: datetime, rows: int, step: timedelta) -> list[str]:
    """What the clocks of Berlin show, without saying which of two hours it is."""
    times = ((start + row * step).astimezone(BERLIN) for row in range(rows))
    return [f"{time:%Y-%m-%d %H:%M}" for time in times]


def written(path: Path, times: list[str]) -> Path:
    rows = [f"{time},{row + row % 3}" for row, time in enumerate(times)]
    path.write_text("\n".join(["time,a", *rows]) + "\n")
    return path


def series(path: Path, **changes: object) -> SeriesDataModule:
    given: dict[str, Any] = {"time_zone": "Europe/Berlin", "window": 5, "horizon": 3, "split": CountSplit(30, 10, 10)}
    return SeriesDataModule(str(path), ["time"], ["a"], **(given | changes))


@pytest.mark.parametrize("change", [BACK, FORWARD])
@pytest.mark.parametrize(("frequency", "step"), [("1h", timedelta(hours=1)), ("15min", timedelta(minutes=15))])
@pytest.mark.parametrize("before", [-7, -3, -1, 0, 1, 9])
def test_each_row_is_a_step_after_the_one_before_it(
    change: datetime, frequency: str, step: timedelta, before: int, tmp_path: Path
) -> None:
    start = change - before * step
    file = written(tmp_path / "a.csv", local(start, 60, step))
    table = series(file, frequency=frequency).table
    assert [table.time(row) for row in (0, 7, 59)] == [(start + row * step).astimezone(BERLIN) for row in (0, 7, 59)]
    assert all(table.row(start + row * step) == row for row in range(60))


def test_the_hour_that_comes_twice_is_told_by_its_offset(tmp_path: Path) -> None:
    table = series(written(tmp_path / "a.csv", local(BACK - timedelta(hours=1), 60, timedelta(hours=1)))).table
    assert [str(table.time(row)) for row in (0, 1)] == ["2024-10-27 02:00:00+02:00", "2024-10-27 02:00:00+01:00"]
    with pytest.raises(UserError, match=r"line 3: .* comes twice: .*\.time_zone if the clocks were changed"):
        _ = series(tmp_path / "a.csv", time_zone=None).table


def test_the_calendar_goes_by_the_clocks(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    data = series(written(tmp_path / "a.csv", local(BACK - 20 * hour, 60, hour)), calendar=["hour"])
    angles = data.layout.vectors(data.table, data.scaling)[:, -2:]
    hours = np.array([int(time[11:13]) for time in local(BACK - 20 * hour, 60, hour)])
    assert hours[19] == hours[20] == 2
    np.testing.assert_allclose(angles[:, 0], np.sin(hours * (2 * math.pi / 24)), atol=1e-6)


def test_days_are_told_by_their_dates(tmp_path: Path) -> None:
    days = [f"{datetime(2024, 3, 10) + timedelta(days=day):%Y-%m-%d}" for day in range(60)]
    table = series(written(tmp_path / "a.csv", days), frequency="1d").table
    assert str(table.time(30)) == "2024-04-09 00:00:00+02:00"
    assert table.row(datetime(2024, 4, 9)) == 30


def test_offsets_in_the_file_and_dates_of_splits(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    with_offsets = [str((BACK + (row - 5) * hour).astimezone(BERLIN)) for row in range(60)]
    split = DateSplit("2024-10-28T00:00", "2024-10-28T12:00+01:00", "2024-10-29T00:00")
    data = series(written(tmp_path / "a.csv", with_offsets), split=split)
    told_by_clocks = series(written(tmp_path / "b.csv", local(BACK - 5 * hour, 60, hour)), split=split)
    assert data.rows == told_by_clocks.rows == {"train": range(27), "val": range(27, 39), "test": range(39, 51)}


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["2024-03-31 01:00", "2024-03-31 02:00"], "line 3: there is no 2024-03-31 02:00:00 in Europe/Berlin, whose"),
        (["2024-10-27 02:00"] * 3, r"line 4: the time 2024-10-27 02:00:00\+01:00 comes twice: leave one .* out$"),
        (["2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 03:00"], r"line 4: .*\+01:00 comes after .*, a gap in"),
        (["0001-01-01 00:00"], "line 2: 0001-01-01 00:00:00 is out of range for a time in Europe/Berlin"),
        (["2024-03-31 01:00", "2024-03-31 04:00"], "line 3: .* a gap in time"),
    ],
)
def test_what_the_clocks_cannot_have_shown(times: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        _ = series(written(tmp_path / "a.csv", times)).table


def test_a_checkpoint_knows_the_zone_and_finds_what_is_known_ahead(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    data = SeriesDataModule(
        str(tmp_path / "a.csv"),
        ["time"],
        ["a"],
        known=["b"],
        time_zone="Europe/Berlin",
        window=5,
        horizon=3,
        split=CountSplit(30, 10, 10),
    )
    times = local(BACK - 58 * hour, 70, hour)
    lines = [f"{time},{row + row % 3},{row % 4}" for row, time in enumerate(times)]
    (tmp_path / "a.csv").write_text("\n".join(["time,a,b", *lines[:58]]) + "\n")  # the next is 02:00, the second time
    (tmp_path / "plan.csv").write_text("\n".join(["time,a,b", *lines[55:]]) + "\n")
    saved = SeriesFormat.of_state(data.state_dict()["series"])
    ahead = saved.vectors_ahead(str(tmp_path / "a.csv"), str(tmp_path / "plan.csv"))
    assert str(ahead.table.time(5)) == "2024-10-27 02:00:00+01:00"
    assert ahead.table.columns(["b"])[5:, 0].tolist() == [58 % 4, 59 % 4, 60 % 4]
    state = data.state_dict()["series"]
    del state["form"]["time_zone"]  # as a checkpoint from before has it
    assert SeriesFormat.of_state(state).form.time_zone is None


def test_what_is_known_ahead_may_have_another_offset(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    times = [str((BACK + (row - 58) * hour).astimezone(BERLIN)) for row in range(70)]
    lines = [f"{time},{row + row % 3},{row % 4}" for row, time in enumerate(times)]
    (tmp_path / "a.csv").write_text("\n".join(["time,a,b", *lines[:58]]) + "\n")
    (tmp_path / "plan.csv").write_text("\n".join(["time,a,b", *lines[58:]]) + "\n")
    data = series(tmp_path / "a.csv", time_zone=None, known=["b"])
    saved = SeriesFormat.of_state(data.state_dict()["series"])
    ahead = saved.vectors_ahead(str(tmp_path / "a.csv"), str(tmp_path / "plan.csv"))
    assert ahead.table.columns(["b"])[5:, 0].tolist() == [58 % 4, 59 % 4, 60 % 4]
