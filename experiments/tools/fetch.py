"""``seqlab fetch``: a public corpus from where it is published, each file checked by its SHA-256."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from datamodules.errors import RunFailed, UserError, suggest
from experiments.config.tool_parser import ToolParser
from experiments.storage.durable import durable_write
from experiments.storage.shell import command, quoted
from experiments.tools.corpora import CORPORA, Corpus


def main(arguments: list[str], corpora: Mapping[str, Corpus] = CORPORA) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab fetch``.
        corpora: The corpora that there are, by name.

    Returns:
        The exit status.

    Raises:
        UserError: There is no such corpus, its folder cannot be used, or another file stands in its place.
        RunFailed: The network, the server or the disk failed, or sent something else than was published.
    """
    given = _parser(corpora).parse_args(arguments)
    if given.corpus not in corpora:
        raise UserError(f"unknown corpus '{given.corpus}': {suggest(given.corpus, corpora)}")
    corpus = corpora[given.corpus]
    directory = given.directory / corpus.name
    fetched = fetch(corpus, directory, given.url)
    kept = len(corpus.checksums) - len(fetched)
    print(f"{corpus.name}: {len(corpus.checksums)} files in {directory}, {len(fetched)} fetched, {kept} there already")
    if corpus.licence is not None:
        print(f"licence: {corpus.licence}")
    elsewhere = "" if given.directory == _data_directory() else f"SEQLAB_DATA={quoted(given.directory)} "
    print(f"next: {elsewhere}{command('seqlab', 'fit', '--config', corpus.config)}")
    return 0


def fetch(corpus: Corpus, directory: Path, url: str | None = None) -> list[str]:
    """Fetches the files of a corpus that are not there yet.

    A file appears under its name only whole and checked; one that is there is never replaced.

    Args:
        corpus: Which.
        directory: Where its files go; made if missing.
        url: Where they come from, instead of where they are published.

    Returns:
        The names of the files that were fetched.

    Raises:
        UserError: The directory cannot be used, a file there has other content, or ``url`` is none.
        RunFailed: The network, the server or the disk failed, or sent something else than was published.
    """
    import pooch
    from tqdm import tqdm

    missing = [name for name in corpus.checksums if not _is_there(corpus, name, directory)]
    pooch.get_logger().setLevel("WARNING")  # else it tells of each file in two lines
    base = (url or corpus.url).rstrip("/")
    with tqdm(total=len(missing), desc=corpus.name, unit="file", disable=None) as progress:
        for name in missing:
            address = f"{base}/{corpus.path(name)}"
            with _explained(address, directory):
                directory.mkdir(parents=True, exist_ok=True)
                if corpus.is_compressed_here(name):
                    _retrieve_and_compress(address, corpus.checksums[name], directory / name, corpus.lines.get(name))
                else:
                    _retrieve(address, corpus.checksums[name], directory / name)
            progress.update()
    return missing


def _retrieve(address: str, checksum: str | None, path: Path) -> None:
    """Fetches a file and checks it, where there is something to check; it has its name once it is whole."""
    import pooch

    known = None if checksum is None else f"sha256:{checksum}"
    pooch.retrieve(address, known_hash=known, fname=path.name, path=path.parent, downloader=pooch.HTTPDownloader())
    path.chmod(0o644)  # as every new file: pooch leaves it to its owner alone


def _retrieve_and_compress(address: str, checksum: str, path: Path, lines: int | None) -> None:
    """The same of a file that is published as it is, and kept compressed; the same bytes at any time.

    Args:
        address: Where it is published.
        checksum: SHA-256 (hex) of what is kept of it.
        path: Where it goes.
        lines: How many lines are kept; None for all.

    Raises:
        ValueError: What is kept is something else than was published.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as folder:
        published = Path(folder) / "published"
        _retrieve(address, None, published)
        content = b"".join(published.read_bytes().splitlines(keepends=True)[:lines])
        if hashlib.sha256(content).hexdigest() != checksum:
            raise ValueError(f"another SHA-256 than {checksum}")
        with durable_write(path) as file:
            file.write(gzip.compress(content, mtime=0))


def _is_there(corpus: Corpus, name: str, directory: Path) -> bool:
    """Whether a file is there with the right content; other content is an error."""
    path, checksum = directory / name, corpus.checksums[name]
    try:
        if not path.exists():
            return False
        found = _checksum(path, corpus.is_compressed_here(name))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; choose another --directory") from error
    if found != checksum:
        raise UserError(
            f"{path} is there already with other content (SHA-256 {found[:12]}…, published {checksum[:12]}…): "
            "move it away, or choose another --directory"
        )
    return True


def _checksum(path: Path, is_compressed_here: bool) -> str:
    """SHA-256 (hex) of what is compared with the published one: a file's bytes, or what was compressed here."""
    content = path.read_bytes()
    if is_compressed_here:
        with suppress(gzip.BadGzipFile, EOFError, zlib.error):  # no such file, whose content is another anyway
            content = gzip.decompress(content)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _explained(url: str, directory: Path) -> Iterator[None]:
    """What can go wrong while a file is fetched, in the user's words."""
    import requests

    try:
        yield
    except requests.HTTPError as error:
        response = error.response
        answer = f"{response.status_code} {response.reason}" if response is not None else "with an error"
        raise RunFailed(f"cannot fetch {url}: the server answers {answer}; try later, or give another --url") from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise RunFailed(f"cannot fetch {url}: the transfer broke off; run the command again") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise RunFailed(
            f"cannot fetch {url}: no answer from there; check the network, "
            f"or copy the files from another machine to {directory}"
        ) from error
    except requests.RequestException as error:
        raise UserError(f"--url: {url} is no address to fetch from") from error
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        reason = error.strerror or "Permission denied"  # pooch's own check gives no errno
        raise UserError(f"cannot write to {directory}: {reason}; choose another --directory") from error
    except OSError as error:
        raise RunFailed(f"cannot write to {directory}: {error.strerror}; only whole files were left there") from error
    except ValueError as error:
        raise RunFailed(
            f"{url} is not the file that was published (its SHA-256 differs), and was thrown away: "
            "run the command again, or give another --url"
        ) from error


def _data_directory() -> Path:
    return Path(os.environ.get("SEQLAB_DATA") or "data")


def _parser(corpora: Mapping[str, Corpus]) -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab fetch",
        description="Fetches a public corpus. A file that is there already with the right content is kept.",
        epilog="example: seqlab fetch multi30k --directory data",
    )
    parser.add_argument("corpus", metavar="CORPUS", help=", ".join(sorted(corpora)))
    parser.add_argument(
        "--directory",
        type=Path,
        default=_data_directory(),
        help="where the corpus gets its folder (default: $SEQLAB_DATA, else data)",
    )
    parser.add_argument("--url", help="fetch the files from here instead of where they are published")
    return parser
