"""What was prepared once: a directory of complete entries, each made by one process while others wait."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from datamodules.corpora.corpus import hash_file
from datamodules.errors import UserError

_FORMAT = 5
"""Goes into every key: raised whenever what is written into entries changes."""

_MANIFEST = "manifest.json"
_CHECKED_BYTES = 2**20
"""The checksum of a file covers that many bytes at its start and at its end, so that opening stays cheap."""

_RACY_NANOSECONDS = 2 * 10**9
"""A file that changed so shortly before it was hashed could change again without a sign: its hash is not remembered."""

_log = logging.getLogger(__name__)


class Cache:
    """A directory of entries, each a directory of files made once.

    An entry is written beside its place, synced and renamed, with a manifest of its files: one that is half written
    or damaged is never read as good, but removed and made again. Processes that want the same entry at once make it
    once: one makes it under a file lock, the others wait.

    Args:
        directory: Where the entries are. Without it, ``$SEQLAB_CACHE``, else ``seqlab`` in ``$XDG_CACHE_HOME``, else
            ``~/.cache/seqlab``.
    """

    def __init__(self, directory: str | None = None) -> None:
        self.directory = _cache_directory(directory)

    def entry(self, kind: str, description: dict[str, Any], make: Callable[[Path], None]) -> Path:
        """Finds an entry, or makes it.

        Args:
            kind: First word of the entry's name, for people who look into the cache.
            description: All that decides what the entry holds, as plain values.
            make: Writes the files of the entry into an empty directory.

        Returns:
            The directory of the complete entry.

        Raises:
            UserError: The cache cannot be written.
        """
        path = self.directory / f"{kind}-{_key(description)}"
        if _is_complete(path):
            return path
        with self._writable(), self._locked(path.name):
            if not _is_complete(path):
                self._make(path, description, make)
        return path

    def _make(self, path: Path, description: dict[str, Any], make: Callable[[Path], None]) -> None:
        partial = path.with_name(f"{path.name}.partial")
        for leftover in (path, partial):
            if leftover.exists():
                _log.info("removing %s, which was not written to its end", leftover)
                shutil.rmtree(leftover)
        partial.mkdir()
        try:
            make(partial)
            files = {file.name: _file_record(file) for file in sorted(partial.iterdir())}
            manifest = {"description": description, "files": files}
            (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            for file in [*partial.iterdir(), partial]:
                _sync(file)
            partial.rename(path)
            _sync(self.directory)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def hash_file(self, path: Path) -> str:
        """SHA-256 (hex) of a file's bytes, remembered as long as the file is not touched.

        Args:
            path: The file.

        Raises:
            UserError: The file cannot be read.
        """
        status = path.stat()
        signature = [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        note = self.directory / "hashes" / f"{name}.json"
        try:
            remembered = json.loads(note.read_text(encoding="utf-8"))
            if remembered["signature"] == signature:
                return remembered["sha256"]
        except (OSError, ValueError, TypeError, KeyError):
            _log.debug("no usable hash of %s in %s", path, note)
        digest = hash_file(path)
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _RACY_NANOSECONDS:
            self._remember(note, {"signature": signature, "sha256": digest})
        return digest

    def _remember(self, note: Path, content: dict[str, Any]) -> None:
        partial = note.with_name(f"{note.name}.{os.getpid()}.partial")
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(content), encoding="utf-8")
            partial.replace(note)
        except OSError as error:  # a finished cache may be read-only: the file is then hashed at every start
            _log.debug("%s cannot be written: %s", note, error)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Makes the directory, and turns what the operating system refuses into words for the user."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise UserError(
                f"the cache {self.directory} cannot be written ({error.strerror or error}): set SEQLAB_CACHE or "
                "data.init_args.cache_directory to a directory with room"
            ) from error

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = FileLock(self.directory / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("another process prepares %s: waiting for it", self.directory / name)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _cache_directory(directory: str | None) -> Path:
    given = directory or os.environ.get("SEQLAB_CACHE")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqlab"


def _key(description: dict[str, Any]) -> str:
    canonical = json.dumps({"format": _FORMAT, **description}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _is_complete(path: Path) -> bool:
    """Whether an entry has all the files of its manifest, with their sizes and checksums."""
    try:
        files = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(_file_record(path / name) == record for name, record in files.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def _file_record(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        checksum = zlib.crc32(file.read(_CHECKED_BYTES))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(_CHECKED_BYTES, size - _CHECKED_BYTES))
        return {"size": size, "crc32": zlib.crc32(file.read(_CHECKED_BYTES), checksum)}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
