"""The scripts of jobs, run by bash with a srun that writes down what it is told."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.slurm.sbatch import JOB_ID, JobRequest, sbatch_script, submit

SRUN = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
pathlib.Path("told.json").write_text(json.dumps(sys.argv[1:]))
sys.exit(int(os.environ.get("SRUN_STATUS", "0")))
"""

WRITES_DOWN = """\
#!/usr/bin/env bash
echo "$(basename "$0") $*" >> told.txt
"""

AWKWARD = ["fit", "--config", "a b.yaml", "--data.init_args.lengths", "[1, 2]", "--experiment", "it's $HOME", ""]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with commands named as SLURM's."""
    for name, program in (("srun", SRUN), ("scontrol", WRITES_DOWN)):
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(script: str, **environment: str) -> int:
    return subprocess.run(["bash", "-c", script], env={**os.environ, **environment}, check=False).returncode


def words(cluster: Path) -> list[str]:
    """What seqlab was told."""
    told = json.loads((cluster / "told.json").read_text())
    return told[told.index("experiments.cli") + 1 :]


def test_words_arrive_as_they_were_given(cluster: Path) -> None:
    script = sbatch_script(JobRequest("name"), [[*AWKWARD, "--version", JOB_ID]])
    assert run(script, SLURM_JOB_ID="815", SLURM_CPUS_PER_TASK="3") == 0
    assert words(cluster) == [*AWKWARD, "--version", "815"]
    assert "--cpus-per-task=3" in json.loads((cluster / "told.json").read_text())


def test_each_task_of_an_array_runs_its_own_command(cluster: Path) -> None:
    commands = [["fit", "--seed_everything", str(seed)] for seed in range(12)]
    script = sbatch_script(JobRequest("name", at_once=3), commands)
    assert "#SBATCH --array=0-11%3\n" in script
    for task in (0, 1, 11):
        assert run(script, SLURM_JOB_ID="815", SLURM_ARRAY_TASK_ID=str(task)) == 0
        assert words(cluster) == commands[task]


@pytest.mark.parametrize(("status", "told"), [(1, ""), (138, "scontrol requeue 815\n")])
def test_the_status_is_that_of_the_command(status: int, told: str, cluster: Path) -> None:
    """Only a signal that came before anything listened to it has the job begin again."""
    (cluster / "told.txt").touch()
    assert run(sbatch_script(JobRequest("name"), [["fit"]]), SLURM_JOB_ID="815", SRUN_STATUS=str(status)) == status
    assert (cluster / "told.txt").read_text() == told


def test_a_task_of_an_array_is_requeued_alone(cluster: Path) -> None:
    task = {"SLURM_JOB_ID": "815", "SLURM_ARRAY_JOB_ID": "815", "SLURM_ARRAY_TASK_ID": "1"}
    assert run(sbatch_script(JobRequest("name"), [["fit"], ["fit"]]), **task, SRUN_STATUS="138") == 138
    assert (cluster / "told.txt").read_text() == "scontrol requeue 815_1\n"


def test_what_is_asked_stands_in_the_script(cluster: Path) -> None:
    request = JobRequest(
        "dates", nodes=2, tasks_per_node=8, cpus_per_task=4, gpus_per_node=8, time="04:00:00", notice=90,
        options=["--partition=gpu"], setup=["module load cuda"],
    )  # fmt: skip
    script = sbatch_script(request, [["fit"]])
    for line in (
        "#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=8", "#SBATCH --cpus-per-task=4", "#SBATCH --gres=gpu:8",
        "#SBATCH --time=04:00:00", "#SBATCH --signal=USR1@90", "#SBATCH --open-mode=append", "#SBATCH --requeue",
        "#SBATCH --partition=gpu", f"#SBATCH --chdir={cluster}", "module load cuda",
    ):  # fmt: skip
        assert f"\n{line}\n" in script
    without = sbatch_script(replace(request, gpus_per_node=0, time=None), [["fit"]])
    assert "--gres" not in without
    assert "--time" not in without


@pytest.mark.parametrize("option", ["partition=gpu", "--partition gpu", "--comment=a\nb"])
def test_an_option_of_several_words_is_refused(option: str) -> None:
    with pytest.raises(UserError, match="no option of sbatch in one word"):
        sbatch_script(JobRequest("name", options=[option]), [["fit"]])


def test_a_machine_without_slurm_keeps_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    script = tmp_path / "new" / "job.sh"
    with pytest.raises(UserError, match=f"no sbatch here: give {script} to it"):
        submit(JobRequest("name", log=tmp_path / "logs" / "%j.log"), [["fit"]], script)
    assert script.read_text() == sbatch_script(JobRequest("name", log=tmp_path / "logs" / "%j.log"), [["fit"]])
    assert (tmp_path / "logs").is_dir(), "where SLURM cannot open the log, it ends a job without a word"


def test_what_sbatch_says_is_told(cluster: Path) -> None:
    (cluster / "sbatch").write_text("#!/usr/bin/env bash\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    (cluster / "sbatch").chmod(0o755)
    with pytest.raises(UserError, match=r"sbatch refuses .*job.sh: invalid partition"):
        submit(JobRequest("name"), [["fit"]], cluster / "job.sh")
    (cluster / "sbatch").write_text("#!/usr/bin/env bash\necho '815;main'\n")
    assert submit(JobRequest("name"), [["fit"]], cluster / "job.sh") == "815"
