"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamodules.errors import RunFailed
from experiments.storage.durable import PARTIAL_SUFFIX, durable_write

WRITER = """
import sys, time
from pathlib import Path
from experiments.storage.durable import durable_write
with durable_write(Path(sys.argv[1])) as file:
    file.write(b"half of what is to be written")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


def partials(directory: Path) -> list[Path]:
    return list(directory.glob(f".*{PARTIAL_SUFFIX}"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def writer(old: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a write."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, old], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


def test_a_write_replaces_the_file_and_leaves_nothing_else(old: Path) -> None:
    with durable_write(old) as file:
        file.write(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_all_of_it_is_on_the_disk_before_it_has_its_name(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a loss of power could leave an empty file of that name."""
    seen: list[tuple[list[bytes], bytes]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        seen.append(([path.read_bytes() for path in partials(old.parent)], old.read_bytes()))

    monkeypatch.setattr(os, "fsync", noted)
    with durable_write(old) as file:
        file.write(b"new")
    assert seen == [([b"new"], b"old"), ([], b"new")], "the file's own bytes, then its name in the directory"


def test_an_error_leaves_the_old_file(old: Path) -> None:
    def interrupted() -> None:
        with durable_write(old) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_kill_leaves_the_old_file_and_the_next_write_cleans_up(old: Path, writer: subprocess.Popen[str]) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert old.read_bytes() == b"old"
    assert len(partials(old.parent)) == 1
    with durable_write(old.with_name("other.ckpt")) as file:
        file.write(b"other")
    assert partials(old.parent) == []
    assert old.read_bytes() == b"old"


def test_what_a_living_process_writes_is_left_alone(old: Path, writer: subprocess.Popen[str]) -> None:
    with durable_write(old) as file:
        file.write(b"mine")
    assert old.read_bytes() == b"mine"
    assert len(partials(old.parent)) == 1


def test_a_disk_that_turns_out_full_when_synced(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with (
        pytest.raises(RunFailed, match=r"cannot write .*last\.ckpt: No space left on device"),
        durable_write(old) as file,
    ):
        file.write(b"new")
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="No such file or directory"), durable_write(tmp_path / "no" / "file"):
        pass
