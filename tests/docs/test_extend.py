"""docs/extend.md, followed by someone who reads nothing else: its files are copied and its commands run."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.docs.pages import DOCS, PROJECT
from tests.experiments.metrics_table import values

FILE = re.compile(r"^```\{literalinclude\} extend/(\S+)\n(?::.*\n)*:caption: (\S+)$", re.MULTILINE)
COMMAND = re.compile(r"^    seqlab (.*)$", re.MULTILINE)

SHORT = {
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 6,
    "trainer.log_every_n_steps": 1,
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.accelerator": "cpu",
}
SMALL = {"data.init_args.train_size": 300, "data.init_args.val_size": 20, "data.init_args.test_size": 20}


def section(title: str) -> str:
    page = (DOCS / "extend.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no section {title}"
    return found[1]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory, of which Python knows nothing yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "my_parts":
            del sys.modules[name]


def copy_files(title: str, folder: Path) -> None:
    """Writes the files that a section shows, under the names that it gives them."""
    files = FILE.findall(section(title))
    assert files, "no file"
    for name, caption in files:
        (folder / caption).parent.mkdir(exist_ok=True)
        shutil.copy(DOCS / "extend" / name, folder / caption)


def follow(title: str, folder: Path, options: dict[str, object]) -> None:
    """Writes what the section shows, and types what it says."""
    copy_files(title, folder)
    commands = COMMAND.findall(section(title))
    assert commands, "no command"
    for command in commands:
        words = [word for name, value in options.items() for word in (f"--{name}", str(value).lower())]
        assert main([*shlex.split(command), *words]) == 0


def test_an_attention(away: Path) -> None:
    follow("An attention", away, SHORT | SMALL)
    run = away / "runs" / "dates_cosine" / "1"
    losses = values(run, "train/loss")
    assert losses[-1] < losses[0]
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt")
    attention = checkpoint["hyper_parameters"]["decoder"]["init_args"]["attention"]
    assert attention["class_path"] == "my_parts.attention.CosineAttention"
    assert "decoder.attentions.0.key_projection.weight" in checkpoint["state_dict"]


def test_a_metric(away: Path) -> None:
    follow("A metric on text", away, SHORT | SMALL)
    (ratio,) = values(away / "runs" / "dates" / "1", "val/length_ratio")
    assert ratio >= 0


def test_a_callback(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    follow("A callback", away, SHORT | SMALL)
    run = away / "runs" / "dates_clock" / "1"
    (seconds,) = values(run, "val/seconds")
    assert seconds > 0
    assert values(run, "val/bleu"), "the callbacks of the experiment are there as well"
    mistyped = ["--trainer.callbacks+=BestCheckpoint", "--trainer.callbacks.init_args.monitor", "val/secnds"]
    assert main(["fit", "--config", "configs/nmt/dates.yaml", "--config", "clock.yaml", *mistyped]) == 2
    assert "val/seconds" in capsys.readouterr().err


def test_a_schedule(away: Path) -> None:
    follow("A schedule", away, SHORT | SMALL | {"trainer.max_epochs": 3, "trainer.limit_train_batches": 2})
    ratios = values(away / "runs" / "dates_stairs" / "1", "train/forcing_ratio")
    assert ratios == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]


def test_a_data_module(away: Path) -> None:
    follow("A data module", away, SHORT)
    assert values(away / "runs" / "squares" / "1", "val/loss")


def test_a_study(away: Path) -> None:
    copy_files("An attention", away)
    copy_files("Is it better? A study", away)
    (command,) = COMMAND.findall(section("Is it better? A study"))
    short = "".join(f"  {key}: {str(value).lower()}\n" for key, value in (SHORT | SMALL).items())
    with (away / "my_study.yaml").open("a", encoding="utf-8") as study:
        study.write(f"options:\n{short}")
    assert main([*shlex.split(command.replace("--seeds 3", "--seeds 1")), "--preset", "quick"]) == 0
    rows = (next(away.glob("studies/*/*/results.csv"))).read_text().splitlines()
    assert len(rows) == 3
    assert all(",finished," in row for row in rows[1:])


def test_contributing_names_what_is_there() -> None:
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:datamodules|lightning_modules|experiments|tests|configs|docs)/[\w./]*)`", page):
        assert (PROJECT / name).exists(), name
