"""Systems take turns, and what is told of them is made of pairs of rounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from experiments.benchmarks.report import comparison_table, write_report
from experiments.benchmarks.rounds import Quantity, System, in_turn, ratios, values_of

SPEED = Quantity("speed", "tokens per second", "higher")


def test_systems_take_turns_and_the_first_rounds_do_not_count() -> None:
    order: list[str] = []

    def measure(name: str) -> Mapping[str, float]:
        order.append(name)
        return {"speed": float(len(order))}

    rounds = in_turn([System(name, partial(measure, name)) for name in "AB"], rounds=2, warm_up=1)
    assert "".join(order) == "ABABAB"
    assert (values_of(rounds, "A", "speed"), values_of(rounds, "B", "speed")) == ([3.0, 5.0], [4.0, 6.0])


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
