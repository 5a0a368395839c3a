"""Systems take turns, and what is told of them is made of pairs of rounds."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from experiments.benchmarks.machine_watch import Disturbance, MachineWatch
from experiments.benchmarks.report import comparison_table, quietness, write_report
from experiments.benchmarks.rounds import Quantity, System, in_turn, interval, ratios, values_of

SPEED = Quantity("speed", "tokens per second", "higher")


def test_systems_take_turns_and_the_first_rounds_do_not_count() -> None:
    order: list[str] = []

    def measure(name: str) -> Mapping[str, float]:
        order.append(name)
        return {"speed": float(len(order))}

    systems = [System(name, partial(measure, name)) for name in "AB"]
    rounds = in_turn(systems, rounds=2, warm_up=1, most_others=1.0).rounds
    assert "".join(order) == "ABABAB"
    assert (values_of(rounds, "A", "speed"), values_of(rounds, "B", "speed")) == ([3.0, 5.0], [4.0, 6.0])


def test_a_disturbed_round_is_made_again_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.0, 0.2, 0.01, 0.02, 0.0, 0.0])  # of A and B in turn
    monkeypatch.setattr(MachineWatch, "end", lambda _: Disturbance(0.5, next(shares), 0.0, None))
    speeds = iter(range(6))
    systems = [System(name, lambda: {"speed": float(next(speeds))}) for name in "AB"]
    measured = in_turn(systems, rounds=2, warm_up=0)
    assert measured.rounds == {"A": [{"speed": 2.0}, {"speed": 4.0}], "B": [{"speed": 3.0}, {"speed": 5.0}]}
    assert [each.others for each in measured.disturbed] == [0.2]
    assert quietness(measured) == (
        "quiet rounds: 2; others had at most 2.0% of the machine in one of their measurements; "
        "disturbed rounds, which do not count: 1, in which they had 20.0% to 20.0%"
    )


def test_where_no_round_is_quiet_there_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MachineWatch, "end", lambda _: Disturbance(0.5, 0.5, 0.5, None))
    measured = in_turn([System("A", lambda: {"speed": 1.0})], 3, warm_up=0)
    assert measured.rounds == {"A": []}
    assert len(measured.disturbed) == 6, "twice as many as were asked for, and no more"
    assert comparison_table([SPEED], measured.rounds) == "No round was quiet: there is nothing to tell."


def test_where_the_system_tells_nothing_every_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MachineWatch, "available", lambda: False)
    measured = in_turn([System("A", lambda: {"speed": 1.0})], 2)
    assert len(measured.rounds["A"]) == 2
    assert "does not tell what else it does" in quietness(measured)


def test_the_interval_of_a_median_narrows_with_rounds_and_has_it() -> None:
    draw = random.Random(1)
    few, many = ([draw.gauss(2.0, 0.1) for _ in range(count)] for count in (5, 80))
    (low, high), (lower, higher) = interval(few), interval(many)
    assert low < median(few) < high
    assert lower < 2.0 < higher
    assert higher - lower < 0.5 * (high - low)
    assert interval([1.0, 2.0]) is None


def test_ratios_are_of_rounds_and_not_of_medians() -> None:
    """The machine got slower: the ratio of the medians is not that of any pair."""
    rounds = {
        "A": [{"speed": 100.0}, {"speed": 40.0}, {"speed": 30.0}],
        "B": [{"speed": 50.0}, {"speed": 20.0}, {"speed": 10.0}],
        "C": [{}, {}, {}],
    }
    assert ratios(rounds, "A", "B", "speed") == [2.0, 2.0, 3.0]
    assert ratios(rounds, "A", "C", "speed") == []
    first, second = [line for line in comparison_table([SPEED], rounds).splitlines() if "tokens per second" in line]
    assert [cell.strip() for cell in first.strip("|").split("|")] == ["tokens per second", "A", "40", "30 to 100", ""]
    assert [cell.strip() for cell in second.strip("|").split("|")][1:] == ["B", "20", "10 to 50", "2.00 (2.00 to 3.00)"]


def test_a_report_has_every_repetition_and_what_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports" / "train.json"
    write_report(path, "train", {"steps": 40}, {"rounds": {"A": [{"speed": 3.0}]}})
    report = json.loads(path.read_text())
    assert report["rounds"] == {"A": [{"speed": 3.0}]}
    assert (report["benchmark"], report["settings"]) == ("train", {"steps": 40})
    assert report["machine"]["cores"] >= 1
    assert {"python", "torch", "lightning"} <= set(report["versions"])
    assert str(path) in capsys.readouterr().out
    write_report(None, "train", {}, {})
    assert capsys.readouterr().out == ""
