"""Compressed files, known by how their names end: read as what is in them, and what is wrong with them told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from datamodules.errors import UserError

if TYPE_CHECKING:
    import zstandard

_CHUNK = 2**16
"""Bytes of a .zst file that are taken apart at once."""

_LARGEST_WINDOW = 2**31
"""The most bytes that a .zst file may look back: as many as ``zstd --long=31`` writes."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to read what is in it: the bytes themselves, or what was compressed, by the end of its name.

    Args:
        path: The file; ``.gz``, ``.bz2``, ``.xz`` and ``.zst`` are compressed.

    Raises:
        UserError: It cannot be read, is cut off or damaged, or nothing here reads its kind.
    """
    name, open_kind = _KINDS.get(path.suffix, ("", _open_plain))
    try:
        with open_kind(path) as file:
            yield file
    except EOFError as error:
        raise UserError(f"{path} is cut off: fetch or compress it again") from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or (name and error.errno is None):  # bz2 says so of damage
            raise _broken(path, name) from error
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise _broken(path, name) from error


def _broken(path: Path, name: str) -> UserError:
    return UserError(f"{path} is no {name} file, or a broken one: fetch or compress it again")


def _open_plain(path: Path) -> BinaryIO:
    return path.open("rb")


def _open_gzip(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb"))


def _open_bzip2(path: Path) -> BinaryIO:
    return cast(BinaryIO, bz2.open(path, "rb"))


def _open_xz(path: Path) -> BinaryIO:
    return cast(BinaryIO, lzma.open(path, "rb"))


def _open_zstandard(path: Path) -> BinaryIO:
    try:
        import zstandard
    except ImportError as error:
        raise UserError(
            f"{path} is compressed by zstd, which needs a package that is not installed: pip install 'seqlab[zstd]', "
            "or compress the file by gzip or xz"
        ) from error
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return cast(BinaryIO, io.BufferedReader(_ZstandardFile(path, decompressor, zstandard.ZstdError)))


_KINDS: Mapping[str, tuple[str, Callable[[Path], BinaryIO]]] = {
    ".gz": ("gzip", _open_gzip),
    ".bz2": ("bzip2", _open_bzip2),
    ".xz": ("xz", _open_xz),
    ".zst": ("zstd", _open_zstandard),
}
"""For each end of a name what the compression is called, and how a file is opened."""

COMPRESSED = tuple(_KINDS)
"""How the names of compressed files end."""


class _ZstandardFile(io.RawIOBase):
    """What one frame or several hold; unlike the package's own reader it tells a file that is cut off.

    Args:
        path: The file.
        decompressor: Makes what takes a frame apart.
        damage: What it raises for bytes that are no frame.
    """

    def __init__(self, path: Path, decompressor: zstandard.ZstdDecompressor, damage: type[Exception]) -> None:
        self._path = path
        self._file = path.open("rb")
        self._decompressor = decompressor
        self._damage = damage
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's is any buffer
        while not self._ready:
            self._compressed = self._compressed or self._file.read(_CHUNK)
            if not self._compressed:
                if self._frame is not None:
                    raise EOFError(f"{self._path} ends within a frame")
                return 0
            self._ready = memoryview(self._decompressed())
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decompressed(self) -> bytes:
        """What the next bytes hold; those after the end of a frame are left for the next one."""
        self._frame = self._frame or self._decompressor.decompressobj()
        try:
            content = self._frame.decompress(self._compressed)
        except self._damage as error:
            raise _broken(self._path, "zstd") from error
        self._compressed = self._frame.unused_data if self._frame.eof else b""
        self._frame = None if self._frame.eof else self._frame
        return content

    def close(self) -> None:
        self._file.close()
        super().close()
