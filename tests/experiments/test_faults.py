"""Faults of disk, memory, numbers and data: one clear line, and the previous checkpoint is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.corpora.corpus import TextFiles
from datamodules.errors import RunFailed
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from experiments.checkpoints.reading import read_checkpoint
from experiments.cli import main
from tests.experiments.seqlab_process import ForkedSeqlab, seqlab
from tests.experiments.small_disk import read_only, resize, small_disk
from tests.experiments.tiny_task import write_tiny_task

Fit = Callable[..., tuple[int, str]]


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    return write_tiny_task(tmp_path, seed, train_size=40)


@pytest.fixture
def fit(config: Path, capsys: pytest.CaptureFixture[str]) -> Fit:
    """Trains without loggers, which take most of the time; gives the status, and the line of an error."""

    def call(*arguments: object, logger: str = "false") -> tuple[int, str]:
        capsys.readouterr()
        words = ["fit", "--config", config, "--trainer.logger", logger, *arguments]
        status = main([str(word) for word in words])
        lines = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
        assert len(lines) == (status != 0)
        return status, "".join(lines)

    return call


def last(root: Path) -> Path:
    return root / "tiny" / "1" / "checkpoints" / "last.ckpt"


EACH = ["--trainer.callbacks.init_args.save_top_k", "-1", "--trainer.callbacks.init_args.filename", "{step}"]
"""A checkpoint for each epoch, whether it is the best or not."""

CSV = "experiments.loggers.MetricsCSV"


@pytest.mark.parametrize(
    ("kibibytes", "name"), [(4, "config.yaml|cannot make"), (200, r"best\.ckpt"), (1200, r"last\.ckpt")]
)
def test_a_disk_that_is_full_from_the_start(kibibytes: int, name: str, tmp_path: Path, fit: Fit) -> None:
    with small_disk(tmp_path / "disk", kibibytes) as disk:
        status, line = fit("--trainer.default_root_dir", disk, "--trainer.max_epochs", 1, logger=CSV)
        assert status == 1
        assert re.search(name, line)
        assert "No space left on device" in line
        for checkpoint in disk.rglob("*.ckpt"):
            read_checkpoint(checkpoint)


def test_a_disk_that_fills_up_costs_no_checkpoint(tmp_path: Path, fit: Fit) -> None:
    go_on = ["--trainer.default_root_dir", tmp_path / "disk", "--ckpt_path", "last", *EACH, "--trainer.max_epochs"]
    with small_disk(tmp_path / "disk", 5000) as disk:
        assert fit(*go_on, 1) == (0, "")
        kept = last(disk).read_bytes()
        used = sum(path.stat().st_blocks * 512 for path in disk.rglob("*"))
        (disk / "filler").write_bytes(bytes(5000 * 1024 - used - 300 * 1024))
        status, line = fit(*go_on, 2)
        assert status == 1
        assert "No space left on device; what was there before is untouched" in line
        assert last(disk).read_bytes() == kept
        assert read_checkpoint(last(disk))["epoch"] == 0
        (disk / "filler").unlink()
        assert fit(*go_on, 2) == (0, "")
        assert read_checkpoint(last(disk))["epoch"] == 1


@pytest.mark.parametrize("kibibytes", [4, 12, 24])
def test_a_disk_that_is_full_of_the_cache(
    kibibytes: int, tmp_path: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizer, then the encoded text do not fit."""
    with small_disk(tmp_path / "disk", kibibytes) as disk:
        monkeypatch.setenv("SEQLAB_CACHE", str(disk))
        status, line = fit("--trainer.max_epochs", 1)
        assert status == 2
        assert f"the cache {disk} cannot be written (No space left on device): set SEQLAB_CACHE" in line
        assert not (tmp_path / "runs" / "tiny" / "1").exists()
        resize(disk, 4000)
        assert fit("--trainer.max_epochs", 1) == (0, "")


@pytest.mark.wandb
def test_a_full_disk_under_wandb_is_told_without_a_traceback(tmp_path: Path, config: Path) -> None:
    with small_disk(tmp_path / "disk", 40) as disk:
        process = seqlab("fit", "--config", config, "--trainer.max_epochs", 1, "--trainer.default_root_dir", disk)
    assert process.returncode == 1
    assert process.stderr.count("seqlab: error: cannot write") == 1
    assert "Traceback" not in process.stderr


def test_a_read_only_cache_is_read_and_said_where_it_lacks_something(
    tmp_path: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    assert fit("--trainer.max_epochs", 1) == (0, "")
    with read_only(tmp_path / "cache"):
        assert fit("--trainer.max_epochs", 1) == (0, "")
        status, line = fit("--trainer.max_epochs", 1, "--data.init_args.max_length", 5)
        assert status == 2
        assert f"the cache {tmp_path / 'cache'} cannot be written (Read-only file system): set SEQLAB_CACHE" in line


def test_a_read_only_run_is_said(tmp_path: Path, fit: Fit) -> None:
    assert fit("--trainer.max_epochs", 1) == (0, "")
    runs = tmp_path / "runs"
    kept = last(runs).read_bytes()
    with read_only(runs):
        status, line = fit("--trainer.max_epochs", 1)
        assert status == 2
        assert "cannot make a run directory" in line
        assert "Read-only file system; give another place with --trainer.default_root_dir" in line
        status, line = fit("--trainer.max_epochs", 2, "--ckpt_path", "last")
        assert status == 2
        assert f"cannot write in {runs / 'tiny' / '1'}: Read-only file system" in line
    assert last(runs).read_bytes() == kept


def test_a_loss_that_is_not_finite_names_step_rate_and_lines(config: Path, fit: Fit) -> None:
    """Line 1 is empty, so that lines are not places among the pairs that are kept."""
    for name in ("train.de", "train.fr"):
        path = config.parent / name
        path.write_text("\n" + path.read_text())
    assert fit("--trainer.max_epochs", 1) == (0, "")
    kept = last(config.parent / "runs").read_bytes()
    spoilt = ["--model.init_args.optimizer.init_args.lr", "1e38", "--trainer.gradient_clip_val", "null"]
    late = ["--trainer.check_val_every_n_epoch", 4]  # a validation would meet spoilt weights first
    status, line = fit("--ckpt_path", "last", "--trainer.max_epochs", 4, *spoilt, *late)
    assert status == 1
    found = re.search(
        r"the (loss|gradient) became NaN or infinite at step (\d+) \(learning rate \S+\), in a batch of "
        rf"lines ([\d, ]+) of {config.parent}/train\.de and {config.parent}/train\.fr: nothing of this step",
        line,
    )
    assert found is not None
    lines = [int(number) for number in found[3].split(", ")]
    assert len(lines) in (8, 32)
    assert set(lines) <= set(range(2, 42))
    assert last(config.parent / "runs").read_bytes() == kept

    # Two batches a step: the first step of an epoch is its last, and the validation meets what it did.
    status, line = fit(
        "--ckpt_path", "last", "--trainer.max_epochs", 4, "--trainer.accumulate_grad_batches", 2, *spoilt
    )
    assert status == 1
    assert re.search(
        r"the loss of an evaluation is NaN or infinite at step 3 \(learning rate \S+\), in a batch of "
        rf"lines 1, 2, [\d, ]+ of {config.parent}/val\.de and {config.parent}/val\.fr: the weights are spoilt",
        line,
    )
    assert last(config.parent / "runs").read_bytes() == kept


MEMORY = """
import resource, sys
from experiments.cli import main
import experiments.runs.lightning_cli
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), used + int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


def test_a_sentence_that_does_not_fit_the_memory_names_lengths_and_options(config: Path) -> None:
    """Attention between 20,000 tokens and as many takes 9.6 GB for six sentences at once: more than is left."""
    for name, word in (("train.de", "eins "), ("train.fr", "un ")):
        path = config.parent / name
        path.write_text(path.read_text() + word * 20_000 + "\n")
    options = ["--trainer.logger", "false", "--data.init_args.max_length", "30000", "--trainer.max_epochs", "1",
               "--data.init_args.batch_size", "7"]  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-c", MEMORY, str(4_000_000_000), "fit", "--config", str(config), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    (line,) = (line for line in process.stderr.splitlines() if "error" in line)
    assert process.returncode == 1
    assert "cpu is out of memory at step" in line
    assert "the longest source of 20,001, the longest target of 20,002 positions (lines " in line
    assert ", 41 of " in line
    assert "lower data.init_args.max_length, which is 30000 or data.init_args.batch_size, which is 7" in line
    assert "Traceback" not in process.stderr


def test_text_that_changes_while_it_is_read_is_refused_and_not_cached(tmp_path: Path, config: Path) -> None:
    files = [str(config.parent / f"train.{language}") for language in ("de", "fr")]
    text = TextFiles(*files)

    class Changing(TranslationDataModule):
        def pairs(self, split):  # noqa: ANN001, ANN202 - as somebody writes it in a hurry
            yield from super().pairs(split)
            with Path(files[0]).open("a") as file:
                file.write("eins\n")

    cache = tmp_path / "cache"
    data = Changing(text, text, WhitespaceTokenizer(), cache_directory=str(cache))
    before = data.content("train")
    with pytest.raises(RunFailed, match="the train data changed while it is in use") as failed:
        data.source_vocabulary_size  # noqa: B018 - the property builds the cache
    assert before[:16] in str(failed.value)
    assert data.content("train")[:16] in str(failed.value)
    assert [path for path in cache.glob("tokenizer-*") if path.is_dir()] == []


def test_text_that_changes_under_a_running_job_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = ["--trainer.max_epochs", 500, "--trainer.logger", CSV, "--trainer.log_every_n_steps", 1]
    process = ForkedSeqlab("fit", "--config", config, *long)
    checkpoint = last(config.parent / "runs")
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.05)
    path = config.parent / "train.de"
    text = path.read_text()
    os.utime(path)  # touched, not changed: the run goes on
    path.write_text(text.replace("eins", "zwei", 1))
    _, errors = process.communicate(timeout=120)
    (line,) = (line for line in errors.splitlines() if "error" in line)
    assert process.returncode == 1
    assert "the train data changed while it is in use: its content was" in line
    assert len(set(re.findall(r"\b[0-9a-f]{16}\b", line))) == 2
    assert "global_step" in read_checkpoint(checkpoint)
    path.write_text(text)
    go_on = ["fit", "--config", config, "--ckpt_path", "last", "--trainer.max_steps", 1, "--trainer.logger", "false"]
    assert main([str(word) for word in go_on]) == 0


def test_the_second_run_in_a_directory_is_refused(config: Path, fit: Fit) -> None:
    assert fit("--trainer.max_epochs", 1) == (0, "")
    long = ["--trainer.max_epochs", 5000, "--trainer.logger", "false", "--ckpt_path", "last", *EACH]
    process = ForkedSeqlab("fit", "--config", config, *long)
    checkpoint = last(config.parent / "runs")
    try:
        before = checkpoint.stat().st_mtime_ns
        while checkpoint.stat().st_mtime_ns == before:
            assert process.poll() is None
            time.sleep(0.05)
        status, line = fit("--trainer.max_epochs", 5000, "--ckpt_path", "last")
        assert status == 2
        busy = f"another seqlab fit trains in {config.parent / 'runs' / 'tiny' / '1'}: wait for its end, or "
        assert f"{busy}start without --ckpt_path" in line
        status, line = fit("--trainer.max_epochs", 5000, "--version", 1)
        assert status == 2
        assert f"{busy}give another --version" in line
        assert process.poll() is None, "the first goes on"
    finally:
        process.kill()
        process.communicate()
