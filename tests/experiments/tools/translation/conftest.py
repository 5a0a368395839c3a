"""Ways to run ``seqlab translate`` with a tiny checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tools.translation.running import Standard, Told


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return write(tmp_path / "best.ckpt", tiny_checkpoint())


@pytest.fixture
def run(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., list[str]]:
    """Runs the command on a text, and gives the lines that it writes to standard output."""

    def call(text: bytes, *options: str | Path) -> list[str]:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(best), *map(str, options)]) == 0
        return capfdbinary.readouterr().out.decode().split("\n")

    return call


@pytest.fixture
def refusal(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., str]:
    """Runs the command, which must end with status 2 and one line on standard error."""

    def call(*options: str | Path, checkpoint: Path = best, text: bytes = b"abc\n", status: int = 2) -> str:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(checkpoint), *map(str, options)]) == status
        line = capfdbinary.readouterr().err.decode()
        assert line.startswith("seqlab: error: ")
        assert line.count("\n") == 1
        return line

    return call


@pytest.fixture
def told(best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Told:
    """Runs the command as ``run`` does, and gives the lines of what it tells on standard error about its input, too."""

    def call(text: bytes, *options: str | Path) -> tuple[list[str], list[str]]:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(best), *map(str, options)]) == 0
        found = capfdbinary.readouterr()
        lines = found.err.decode().splitlines()
        assert all(line.startswith("seqlab: warning: ") for line in lines)
        return found.out.decode().split("\n"), [line for line in lines if "limit of length" not in line]

    return call
