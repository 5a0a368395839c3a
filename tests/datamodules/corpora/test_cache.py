"""The cache: made once, by one process, and read only when whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datamodules.corpora import cache as cache_module
from datamodules.corpora.cache import Cache
from datamodules.errors import UserError

MAKE_SLOWLY = """
import os, sys, time
from pathlib import Path
from datamodules.corpora.cache import Cache

def make(directory: Path) -> None:
    with open(sys.argv[2], "a") as log:
        log.write("made ")
    (directory / "values").write_text("half")
    time.sleep(float(sys.argv[3]))
    (directory / "values").write_text("whole")

print((Cache(sys.argv[1]).entry("thing", {"name": "x"}, make) / "values").read_text())
"""


def start(cache: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MAKE_SLOWLY, str(cache), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


class Maker:
    """Writes an entry, and counts how often."""

    def __init__(self, content: bytes = b"content") -> None:
        self.content = content
        self.count = 0

    def __call__(self, directory: Path) -> None:
        self.count += 1
        (directory / "values").write_bytes(self.content)


def test_an_entry_is_made_once_for_each_description(tmp_path: Path) -> None:
    make = Maker()
    for description in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 2}):
        path = Cache(str(tmp_path)).entry("thing", description, make)
        assert (path / "values").read_bytes() == b"content"
    assert make.count == 2


@pytest.mark.parametrize("size", [10, 3 * 2**20])
@pytest.mark.parametrize("damage", ["cut", "flip", "delete", "no manifest", "broken manifest"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str, size: int) -> None:
    make = Maker(bytes(size))
    path = Cache(str(tmp_path)).entry("thing", {}, make)
    values, manifest = path / "values", path / "manifest.json"
    if damage == "cut":
        values.write_bytes(bytes(size - 1))
    elif damage == "flip":
        values.write_bytes(bytes(size - 1) + b"\1")
    elif damage == "delete":
        values.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:-10])
    again = Cache(str(tmp_path)).entry("thing", {}, make)
    assert (again / "values").read_bytes() == bytes(size)
    assert make.count == 2


def test_an_entry_of_another_version_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    with monkeypatch.context() as older:
        older.setattr(cache_module, "_FORMAT", cache_module._FORMAT - 1)
        old = Cache(str(tmp_path)).entry("thing", {}, make)
    new = Cache(str(tmp_path)).entry("thing", {}, make)
    assert make.count == 2
    assert new != old
    assert (old / "values").exists(), "the older version still has its own"


def test_an_entry_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "values").write_text("half")
        raise UserError("a line is wrong")

    with pytest.raises(UserError, match="a line is wrong"):
        Cache(str(tmp_path)).entry("thing", {}, fail)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_an_entry_of_a_killed_process_is_never_read(tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    killed = start(cache, log, 60)
    while not list(cache.glob("*.partial/values")):
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list(cache.glob("*.partial"))
    assert start(cache, log, 0).communicate()[0] == "whole\n"
    assert not list(cache.glob("*.partial"))
    assert log.read_text() == "made made "


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    processes = [start(cache, log, 0.5) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["whole\n", "whole\n"]
    assert log.read_text() == "made "


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(UserError, match=f"the cache {file}/cache cannot be written .*set SEQLAB_CACHE"):
        Cache(str(file / "cache")).entry("thing", {}, Maker())


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for name in ("SEQLAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert Cache().directory == Path("/home/somebody/.cache/seqlab")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert Cache().directory == Path("/xdg/seqlab")
    monkeypatch.setenv("SEQLAB_CACHE", "~/own")
    assert Cache().directory == Path("/home/somebody/own")
    assert Cache(str(tmp_path)).directory == tmp_path


def test_a_hash_is_remembered_until_the_file_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    def count(path: Path) -> str:
        hashed.append(path)
        return path.read_text()

    monkeypatch.setattr(cache_module, "hash_file", count)
    monkeypatch.setattr(cache_module, "_RACY_NANOSECONDS", -1)
    file = tmp_path / "corpus"
    file.write_text("one")
    cache = tmp_path / "cache"
    assert [Cache(str(cache)).hash_file(file) for _ in range(2)] == ["one", "one"]
    assert len(hashed) == 1
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Cache(str(cache)).hash_file(file) == "two"


def test_the_hash_of_a_file_that_just_changed_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "corpus"
    file.write_text("one")
    Cache(str(tmp_path / "cache")).hash_file(file)
    assert not (tmp_path / "cache").exists()
