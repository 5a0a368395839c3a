"""CONTRIBUTING.md, followed by someone who reads nothing else: its files are written and its commands run."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.metrics_table import values

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"

FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`[^`]*:\n\n```\w+\n(.*?)```", re.DOTALL)
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
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
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


def follow(title: str, folder: Path, options: dict[str, object]) -> None:
    """Writes what the section shows, and types what it says."""
    text = section(title)
    files, commands = FILE.findall(text), COMMAND.findall(text)
    assert files, "no file"
    assert commands, "no command"
    for name, content in files:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for command in commands:
        words = [word for name, value in options.items() for word in (f"--{name}", str(value).lower())]
        assert main([*shlex.split(command), *words]) == 0


def test_an_attention(away: Path) -> None:
    follow("Add an attention", away, SHORT | SMALL)
    run = away / "runs" / "dates_cosine" / "1"
    losses = values(run, "train/loss")
    assert losses[-1] < losses[0]
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt")
    attention = checkpoint["hyper_parameters"]["decoder"]["init_args"]["attention"]
    assert attention["class_path"] == "my_parts.attention.CosineAttention"
    assert "decoder.attentions.0.key_projection.weight" in checkpoint["state_dict"]


def test_a_data_module(away: Path) -> None:
    follow("Add a data module", away, SHORT)
    assert values(away / "runs" / "squares" / "1", "val/loss")


def test_a_metric(away: Path) -> None:
    follow("Add a metric on text", away, SHORT | SMALL)
    (ratio,) = values(away / "runs" / "dates" / "1", "val/length_ratio")
    assert ratio >= 0


def test_a_study(away: Path) -> None:
    for name, content in FILE.findall(section("Add an attention")):
        (away / name).parent.mkdir(exist_ok=True)
        (away / name).write_text(content)
    text = section("Add a study")
    (command,) = COMMAND.findall(text)
    ((name, content),) = FILE.findall(text)
    short = "".join(f"  {key}: {str(value).lower()}\n" for key, value in (SHORT | SMALL).items())
    (away / name).write_text(f"{content}options:\n{short}")
    assert main([*shlex.split(command.replace("--seeds 3", "--seeds 1")), "--preset", "quick"]) == 0
    rows = (next(away.glob("studies/*/*/results.csv"))).read_text().splitlines()
    assert len(rows) == 3
    assert all(",finished," in row for row in rows[1:])


def test_the_page_names_what_is_there() -> None:
    root = PAGE.parent
    for name in re.findall(
        r"`((?:datamodules|lightning_modules|experiments|tests|configs)/[\w./]*)`", PAGE.read_text()
    ):
        assert (root / name).exists(), name
