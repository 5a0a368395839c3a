"""A study says when its variants did not begin, train or read as they should have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from datamodules.plan import BatchPlan
from experiments.storage.fingerprints import order_fingerprint, parameter_fingerprints
from experiments.studies.fairness import DATA, MEASURED, START, TIME, UPDATES, WARNING, fairness_lines
from experiments.studies.plan import Key
from experiments.studies.results import Row
from experiments.studies.study import Study, read_study
from lightning_modules.layers.attention import Attention, BahdanauAttention, GeneralAttention, NoAttention
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.nmt import AttentionNMT
from tests.experiments.studies.study_files import write_study


def runs(folder: Path, **starts: dict[str, str]) -> tuple[Study, dict[Key, Row]]:
    """A study whose variants made the same updates on the same data, from given parameters, at two seeds."""
    rows: dict[Key, Row] = {}
    for variant, start in starts.items():
        for seed in (1, 2):
            run = folder / f"{variant}{seed}"
            run.mkdir()
            (run / "record.json").write_text(json.dumps({"initial_parameters": start}))
            rows["", variant, seed] = {"run": str(run), "updates": "20", "data_order": f"order{seed}"}
    return read_study(write_study(folder)), rows


def test_a_fair_study_is_said_to_be_fair(tmp_path: Path) -> None:
    study, rows = runs(tmp_path, first={"a": "2:x", "b": "3:y"}, second={"a": "2:x", "b": "4:z", "c": "1:z"})
    (line,) = fairness_lines(study, rows)
    for what in (UPDATES, DATA, START):
        assert what in line


def test_each_difference_is_a_warning(tmp_path: Path) -> None:
    study, rows = runs(tmp_path, first={"a": "2:x"}, second={"a": "2:y"})
    rows["", "second", 1]["updates"] = "19"
    rows["", "second", 2]["data_order"] = ""
    lines = fairness_lines(study, rows)
    assert lines == [
        f"{WARNING}: not {UPDATES}: seed 1: first 20, second 19",
        f"{WARNING}: not {START}: seed 1: a of first and second",
        f"{WARNING}: not {START}: seed 2: a of first and second",
        f"{WARNING}: not {DATA}: seed 2: first order2, second unknown",
    ]


def test_a_study_of_the_data_may_differ_in_it(tmp_path: Path) -> None:
    study, rows = runs(tmp_path, first={"a": "2:x"}, second={"a": "2:x"})
    rows["", "second", 2]["data_order"] = "other"
    (line,) = fairness_lines(study.model_copy(update={"same_data": False}), rows)
    assert DATA not in line


def test_variants_that_were_measured_on_other_data_are_not_compared_fairly(tmp_path: Path) -> None:
    """A variant is added to a study after somebody mended the test set: the others have their scores from before."""
    study, rows = runs(tmp_path, first={"a": "2:x"}, second={"a": "2:x"})
    for (_, variant, seed), row in rows.items():
        test = "new" if (variant, seed) == ("second", 2) else "old"
        record = json.loads((Path(row["run"]) / "record.json").read_text())
        record["data"] = {"train": "t", "val": "v", "test": test}
        (Path(row["run"]) / "record.json").write_text(json.dumps(record))
    held, *warnings = fairness_lines(study, rows)
    assert warnings == [f"{WARNING}: not {MEASURED}: seed 2: first val v, test old, second val v, test new"]
    assert DATA in held
    assert MEASURED not in held
    (Path(rows["", "second", 2]["run"]) / "record.json").write_text('{"initial_parameters": {"a": "2:x"}}')
    (held,) = fairness_lines(study, rows)
    assert MEASURED in held
    assert not [
        line for line in fairness_lines(study.model_copy(update={"same_data": False}), rows) if MEASURED in line
    ]


def test_at_equal_time_updates_may_differ(tmp_path: Path) -> None:
    study, rows = runs(tmp_path, first={"a": "2:x"}, second={"a": "2:x"})
    rows["", "second", 2]["updates"] = "30"
    (line,) = fairness_lines(study.model_copy(update={"equal": "time"}), rows)
    assert TIME in line
    assert UPDATES not in line


def test_variants_begin_equal_wherever_they_share_a_parameter(seed: int) -> None:
    def start(attention: type[Attention]) -> dict[str, str]:
        torch.manual_seed(seed)
        model = AttentionNMT(
            9, 9, embedding_size=6,
            decoder=lambda embedding, memory: LuongDecoder(embedding, memory, attention, hidden_size=8),
        )  # fmt: skip
        torch.randn(3)
        return parameter_fingerprints(model)

    none, general, additive = start(NoAttention), start(GeneralAttention), start(BahdanauAttention)
    assert start(NoAttention) == none
    for one, other in ((none, general), (general, additive)):
        shared = {name for name in one if name in other and one[name].split(":")[0] == other[name].split(":")[0]}
        assert len(shared) > 10
        assert all(one[name] == other[name] for name in shared)
    torch.manual_seed(seed + 1)
    other_seed = parameter_fingerprints(AttentionNMT(9, 9, embedding_size=6))
    assert other_seed["target_embedding.weight"] != none["target_embedding.weight"]


def test_the_order_of_the_data_is_that_of_the_plan(seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 30, size=(200, 2))

    def order(**options: int) -> str | None:
        plan = BatchPlan(lengths, 16, shuffle=True, **{"seed": seed, **options})
        return order_fingerprint(DataLoader(range(200), batch_size=None, sampler=plan))

    assert order() == order(rank=1, world_size=2)
    assert order() != order(seed=seed + 1)
    assert order_fingerprint(DataLoader(range(200))) is None
