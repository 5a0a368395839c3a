"""``seqlab study`` as a user types it: to its end, through an interruption, and with a variant that fails."""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from experiments.cli import main
from experiments.figures.curves import read_series
from tests.experiments.seqlab_process import seqlab
from tests.experiments.tiny_task import write_tiny_task
from tests.experiments.wandb_log import records

ATTENTION = "model.init_args.decoder.init_args.attention"
CHECKPOINTS = "lightning.pytorch.callbacks.ModelCheckpoint"

pytestmark = pytest.mark.long


def words(study: Path, *more: object) -> list[str]:
    return [str(word) for word in ("study", study, "--directory", study.parent / "studies", *more)]


def write_tiny_study(folder: Path, seed: int, **changes: object) -> Path:
    """A study of two attentions on the tiny task, an epoch of six updates a run."""
    config = write_tiny_task(folder, seed, train_size=180)
    content = {
        "question": "Does attention help?",
        "configs": [str(config)],
        "options": {
            "trainer.callbacks": [
                {"class_path": CHECKPOINTS, "init_args": {"filename": "best", "save_last": True}},
                {"class_path": "experiments.callbacks.TranslationTable"},
            ],
            "trainer.log_every_n_steps": 1,
        },
        "presets": {"quick": {"options": {"trainer.max_epochs": 1}}},
        "metrics": [
            {"name": "val/loss", "better": "lower"},
            {"name": "train/loss", "better": "lower", "take": "mean", "label": "training loss"},
        ],
        "variants": {
            "general": None,
            "none": {"options": {ATTENTION: "lightning_modules.layers.attention.NoAttention"}},
        },
        **changes,
    }
    path = folder / "tiny_study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def rows(place: Path) -> list[dict[str, str]]:
    path = place / "results.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(run: str | Path) -> int:
    """When a run last logged something."""
    return (Path(run) / "metrics.csv").stat().st_mtime_ns


@dataclass
class Stopped:
    """A study that was ended by a scheduler after its first run, and then run to its end."""

    file: Path
    place: Path
    first: dict[str, int]
    error: str
    output: str


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    folder = tmp_path_factory.mktemp("a study")
    seed = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {seed} (repeat with SEQLAB_TEST_SEED={seed})")
    study = write_tiny_study(folder, seed)
    place = folder / "studies" / "tiny_study" / "quick"
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *words(study, "--seeds", 2)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as nohup in a script starts it
    )
    deadline = time.monotonic() + 120
    while not any(row["status"] == "finished" for row in rows(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    first = {row["run"]: written(row["run"]) for row in rows(place) if row["status"] == "finished"}
    assert 0 < len(first) < 4
    with redirect_stdout(StringIO()) as output:
        assert main(words(study, "--seeds", 2, "--jobs", 2)) == 0
    return Stopped(study, place, first, error, output.getvalue())


def test_a_study_goes_on_where_it_was_stopped(stopped: Stopped) -> None:
    assert "interrupted; the same command resumes the study" in stopped.error
    assert f"{len(stopped.first)} of 4 runs are finished" in stopped.output
    assert {run: written(run) for run in stopped.first} == stopped.first, "what was finished was not run again"
    assert {(row["variant"], row["seed"], row["status"], row["updates"]) for row in rows(stopped.place)} == {
        (variant, seed, "finished", "6") for variant in ("general", "none") for seed in ("1", "2")
    }


def test_the_results_say_how_each_run_is_repeated(stopped: Stopped, tmp_path: Path) -> None:
    row = rows(stopped.place)[0]
    name, *again = shlex.split(row["command"])
    assert [name, again[0]] == ["seqlab", "fit"]
    assert seqlab(*again, "--trainer.default_root_dir", tmp_path).returncode == 0
    (run,) = (tmp_path / f"{row['variant']}-seed{row['seed']}").iterdir()
    repeated = read_series(run / "metrics.csv")
    assert repeated["val/loss"].values[-1] == float(row["val/loss"])
    assert fmean(repeated["train/loss"].values) == pytest.approx(float(row["mean train/loss"]))


def test_a_study_writes_tables_and_figures(stopped: Stopped) -> None:
    table = (stopped.place / "table.md").read_text()
    assert table.partition("![")[0].rstrip() in stopped.output, "what is printed is what is written"
    held = "Checked in the runs, at each seed: the same number of updates; equal initial values"
    assert held in table, table + (stopped.place / "results.csv").read_text()
    assert "WARNING" not in table
    names = {"val-loss.png", "mean-train-loss.png", "val-loss-curves.png", "train-loss-curves.png"}
    assert {path.name for path in (stopped.place / "figures").iterdir()} == names
    for name in names:
        assert f"![figures/{name}](figures/{name})" in table


@pytest.mark.wandb
def test_runs_of_a_study_are_a_group_in_wandb(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a study"  # quoted in commands
    folder.mkdir()
    assert main(words(write_tiny_study(folder, seed), "--seeds", 2, "--jobs", 2, "--variant", "none")) == 0
    place = folder / "studies" / "tiny_study" / "quick"
    for log in (place / "logs").iterdir():
        assert "W&B is off" not in log.read_text(), log.read_text()
    output = capsys.readouterr().out
    (upload,) = re.findall(r"group tiny_study \(offline\), upload it with: wandb sync (.*)", output)
    assert shlex.split(upload) == [f"{place}/runs/*/*/wandb/offline-run-*"]
    assert upload.endswith("/*/*/wandb/offline-run-*"), "the shell fills in the stars"
    offline = list(place.glob("runs/*/*/wandb/offline-run-*/*.wandb"))
    assert len(offline) == 2
    for path in offline:
        assert re.search(rb"[^/]tiny_study[^/]", path.read_bytes()), "the group, and not the path"
        kinds = {record.run.job_type for record in records(path) if record.WhichOneof("record_type") == "run"}
        assert kinds == {"none"}, "a dashboard groups a variant's seeds by it"


def test_variants_that_are_steps_of_a_quantity_are_drawn_over_it_and_side_by_side(
    stopped: Stopped, tmp_path: Path
) -> None:
    """Drawn from the same runs, none of which is run again."""
    folder = tmp_path / "a copy"  # quoted in commands, as where it was copied from
    place = folder / "studies" / "tiny_study" / "quick"
    shutil.copytree(stopped.place, place)
    (place / "results.csv").write_text((place / "results.csv").read_text().replace(str(stopped.place), str(place)))
    study = yaml.safe_load(stopped.file.read_text()) | {"x_label": "heads"}
    study["variants"]["general"] = {"x": 1}
    study["variants"]["none"]["x"] = 0
    path = folder / "tiny_study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    shutil.rmtree(place / "figures")

    assert main(words(path, "--seeds", 2)) == 0
    assert {run: written(run) for run in place.glob("runs/*/*")} == {
        place / run.relative_to(stopped.place): written(run) for run in stopped.place.glob("runs/*/*")
    }
    names = {"val-loss", "val-loss-differences", "mean-train-loss", "mean-train-loss-differences"}
    drawn = {figure.stem for figure in (place / "figures").iterdir()}
    assert drawn == names | {"val-loss-curves", "train-loss-curves"}
    assert all(f"![figures/{name}.png](figures/{name}.png)" in (place / "table.md").read_text() for name in drawn)


def test_what_was_begun_goes_on_and_what_changed_runs_again(
    stopped: Stopped, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a copy"  # quoted in commands, as where it was copied from
    place = folder / "studies" / "tiny_study" / "quick"
    shutil.copytree(stopped.place, place)
    begun = place / "runs" / "general-seed1" / "1"
    results = place / "results.csv"
    text = results.read_text().replace(str(stopped.place), str(place))
    results.write_text(text.replace("general,1,finished", "general,1,started"))
    study = yaml.safe_load(stopped.file.read_text())
    study["variants"]["none"]["options"]["model.init_args.dropout"] = 0.1
    path = folder / "tiny_study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))

    assert main(words(path, "--seeds", 1, "--jobs", 2)) == 0
    output = capsys.readouterr().out
    assert "none seed 1: its command or a config has changed, it runs again" in output
    assert "general seed 1" not in output
    versions = {run.name: sorted(version.name for version in run.iterdir()) for run in (place / "runs").iterdir()}
    assert versions["general-seed1"] == ["1"]
    assert versions["none-seed1"] == ["1", "2"]
    command = json.loads((begun / "record.json").read_text())["command"]
    assert shlex.split(command)[-1].endswith("checkpoints/last.ckpt")
    before, after = rows(stopped.place), rows(place)
    assert (after[0]["run"], after[0]["val/loss"]) == (str(begun), before[0]["val/loss"])
    assert after[1]["val/loss"] != before[1]["val/loss"]
    for row, same in zip(after[2:], before[2:], strict=True):
        assert row == {name: cell.replace(str(stopped.place), str(place)) for name, cell in same.items()}


def test_a_variant_that_fails_does_not_stop_the_others(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_tiny_study(
        tmp_path,
        seed,
        variants={"wrong": {"options": {ATTENTION: "lightning_modules.layers.attention.DotAttenton"}}, "right": None},
        metrics=[{"name": "test/loss", "better": "lower"}],
    )
    assert main(words(study, "--seeds", 2, "--jobs", 2)) == 1
    output, error = capsys.readouterr()
    place = tmp_path / "studies" / "tiny_study" / "quick"
    assert "did you mean 'lightning_modules.layers.attention.DotAttention'" in error
    assert error.splitlines()[-1].startswith("seqlab: error: 2 of 4 runs failed: wrong (seed 1, 2); the same")
    found = {(row["variant"], row["seed"]): row for row in rows(place)}
    assert [found["wrong", seed]["status"] for seed in "12"] == ["failed", "failed"]
    assert "not tried: it was refused with seed 1" in found["wrong", "2"]["error"]
    assert [found["right", seed]["status"] for seed in "12"] == ["finished", "finished"]
    assert all(float(found["right", seed]["test/loss"]) > 0 for seed in "12")
    assert "WARNING: not finished, and not in the tables: wrong seed 1, wrong seed 2." in output


def test_one_variant_alone_is_reported_from_what_was_run(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    """The last test of the study: it writes the tables anew."""
    before = rows(stopped.place)
    assert main(words(stopped.file, "--seeds", 2, "--variant", "none")) == 0
    assert "2 of 2 runs are finished" in capsys.readouterr().out
    assert rows(stopped.place) == before
    told = set(re.findall(r"^\| *(general|none) *\|", (stopped.place / "table.md").read_text(), re.MULTILINE))
    assert told == {"none"}
    assert main(words(stopped.file, "--panel", "one")) == 2
    assert "study 'tiny_study' has no panel 'one': it has no panels" in capsys.readouterr().err
