"""``seqlab tune`` as several jobs type it, one of which is killed; and what it says where it cannot go on."""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from experiments.cli import main
from tests.experiments.seqlab_process import ForkedSeqlab
from tests.experiments.tuning.search_files import LR, write_tiny_search

TRIALS = 5

pytestmark = pytest.mark.long


def words(search: Path, *more: object) -> list[str]:
    return [str(word) for word in ("tune", "--config", search, "--storage", search.parent / "search", *more)]


def started(search: Path, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "experiments.cli", *words(search, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


def rows(search: Path) -> list[dict[str, str]]:
    with (search.parent / "search" / "trials.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass
class Searched:
    """A search whose first job was killed in its first trial, and which two jobs then ran to its end.

    Attributes:
        file: The search.
        killed: The parameter of the trial that was under way, as the config of its run had it.
        outputs: What the two jobs printed, and what they told.
    """

    file: Path
    killed: float
    outputs: list[tuple[str, str]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("a search")
    seed = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {seed} (repeat with SEQLAB_TEST_SEED={seed})")
    pruner = {"class_path": "optuna.pruners.MedianPruner", "init_args": {"n_startup_trials": 1, "n_warmup_steps": 1}}
    search = write_tiny_search(folder, seed, pruner=pruner)
    run = folder / "search" / "runs" / "trial-0000" / "1"
    first = ForkedSeqlab(*words(search, "--trials", TRIALS))
    try:
        wait_for(run / "checkpoints" / "last.ckpt")
    finally:
        first.kill()
        first.communicate()
    with FileLock(run / ".lock", timeout=10):
        pass  # its training ended with it
    killed = yaml.safe_load((run / "config.yaml").read_text())["model"]["init_args"]["optimizer"]["init_args"]["lr"]
    beside = ForkedSeqlab(*words(search, "--trials", TRIALS))
    while "last.ckpt" not in (run / "record.json").read_text() and beside.returncode is None:
        time.sleep(0.02)  # it goes on with the trial that was killed
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as told:
        assert main(words(search, "--trials", TRIALS)) == 0
    outputs = [(output.getvalue(), told.getvalue()), beside.communicate()]
    assert beside.returncode == 0, outputs
    return Searched(search, killed, outputs)


def test_every_trial_is_run_once(searched: Searched) -> None:
    found = rows(searched.file)
    assert [row["trial"] for row in found] == [str(number) for number in range(TRIALS)]
    assert {row["state"] for row in found} <= {"complete", "pruned"}
    runs = sorted((searched.file.parent / "search" / "runs").glob("*/*"))
    assert [str(run) for run in runs] == [row["run"] for row in found], "a directory for each, and none begun twice"
    told = [[line for line in error.splitlines() if line.startswith("trial ")] for _, error in searched.outputs]
    assert sum(map(len, told)) == TRIALS
    assert all(told), "both jobs had some"


def test_a_killed_trial_goes_on(searched: Searched) -> None:
    first = rows(searched.file)[0]
    assert float(first[LR]) == searched.killed
    record = json.loads((Path(first["run"]) / "record.json").read_text())
    *_, option, checkpoint = shlex.split(record["command"])
    assert option == "--ckpt_path"
    assert checkpoint.endswith("last.ckpt")
    with (Path(first["run"]) / "metrics.csv").open(newline="") as file:
        logged = [row["val/loss"] for row in csv.DictReader(file) if row["val/loss"]]
    assert len(logged) == int(first["validations"])
    assert float(first["val/loss"]) == min(map(float, logged)) or first["state"] == "pruned"


def test_what_is_worse_is_pruned_and_the_best_is_found(searched: Searched) -> None:
    found = rows(searched.file)
    pruned = [row for row in found if row["state"] == "pruned"]
    assert pruned
    assert all(2 <= int(row["validations"]) < 4 for row in pruned), "after a validation of warm-up, before the end"
    assert all(row["validations"] == "4" for row in found if row["state"] == "complete")
    for row in pruned:
        assert f"trial {row['trial']}: pruned after {row['validations']} validations" in "".join(
            map(str, searched.outputs)
        )
    losses = {float(row[LR]): float(row["val/loss"]) for row in found}
    best = min(losses.values())
    assert best < 0.6 * losses[min(losses)], "a rate that is too small learns nothing"
    assert any(f": val/loss {best:.6g}" in output for output, _ in searched.outputs)
    commands = [line for output, _ in searched.outputs for line in re.findall("^next: (.*)", output, re.MULTILINE)]
    configs = [str(searched.file.parent / name) for name in ("tiny.yaml", "search/best.yaml")]
    assert (
        [shlex.split(command) for command in commands]
        == [["seqlab", "fit", "--config", configs[0], "--config", configs[1]]] * len(commands)
        != []
    )


def test_the_best_is_a_config(searched: Searched, capsys: pytest.CaptureFixture[str]) -> None:
    folder = searched.file.parent
    best = min(
        (row for row in rows(searched.file) if row["state"] == "complete"), key=lambda row: float(row["val/loss"])
    )
    configs = ["--config", str(folder / "tiny.yaml"), "--config", str(folder / "search" / "best.yaml")]
    with pytest.raises(SystemExit):
        main(["fit", *configs, "--print_config"])
    shown = yaml.safe_load(capsys.readouterr().out)
    given = yaml.safe_load((folder / "tiny.yaml").read_text())
    assert shown["model"]["init_args"]["optimizer"]["init_args"]["lr"] == float(best[LR])
    assert shown["model"]["init_args"]["encoder"]["init_args"]["hidden_size"] == 48, "all else stays as it was"
    assert shown["trainer"]["max_epochs"] == given["trainer"]["max_epochs"], "what only the search had is not there"
    assert "SEQLAB_TRIAL" not in (Path(best["run"]) / "config.yaml").read_text()
    assert "TrialReport" not in (Path(best["run"]) / "config.yaml").read_text()


def test_ctrl_c_says_how_to_go_on(searched: Searched) -> None:
    more = started(searched.file, "--trials", TRIALS + 1)
    wait_for(searched.file.parent / "search" / "runs" / f"trial-{TRIALS:04d}" / "1" / "metrics.csv")
    more.send_signal(signal.SIGINT)
    _, error = more.communicate()
    assert more.returncode == 130, error
    assert error.splitlines()[-1] == "seqlab: interrupted; the same command resumes the search"
    assert "Traceback" not in error
    assert main(words(searched.file, "--trials", TRIALS + 1)) == 0
    found = rows(searched.file)
    assert [row["trial"] for row in found] == [str(number) for number in range(TRIALS + 1)]
    assert found[-1]["state"] in ("complete", "pruned")


def test_results_do_not_replace_what_is_read(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    search = write_tiny_search(tmp_path, seed)
    search = search.rename(tmp_path / "best.yaml")
    before = search.read_bytes()
    assert main(["tune", "--config", str(search), "--storage", str(tmp_path), "--trials", "1"]) == 2
    assert f"--storage {search} is also --config: give it a file of its own" in capsys.readouterr().err
    assert search.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metric": "val/lost"},
            "the search monitors 'val/lost', which this experiment does not log: did you mean 'val/loss'",
        ),
        (
            {"parameters": {LR.replace(".lr", ".rl"): {"low": 0.1, "high": 1}}},
            "model: unknown option 'rl': known: amsgrad, ",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused_at_once(
    changes: dict[str, object], message: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(write_tiny_search(tmp_path, seed, **changes), "--trials", 3)) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert len(list((tmp_path / "search" / "runs").glob("*"))) <= 1
