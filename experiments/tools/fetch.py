"""``seqlab fetch``: a public corpus from where it is published, each file checked by its SHA-256."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datamodules.errors import RunFailed, UserError, suggest
from experiments.config.tool_parser import ToolParser
from experiments.storage.shell import command, quoted


@dataclass(frozen=True)
class Corpus:
    """A public corpus.

    Attributes:
        name: Its name, and that of its folder.
        url: Where its files are published, without the file name.
        checksums: The SHA-256 (hex) of each file, by name.
        config: The experiment that is trained on it.
    """

    name: str
    url: str
    checksums: Mapping[str, str]
    config: str


MULTI30K = Corpus(
    name="multi30k",
    url="https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw",
    checksums={
        "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
        "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
        "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        "test_2017_flickr.en.gz": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
        "test_2017_flickr.de.gz": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    },
    config="configs/nmt/multi30k.yaml",
)

CORPORA = {corpus.name: corpus for corpus in (MULTI30K,)}
"""The corpora that can be fetched, by name."""


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

    missing = [name for name, checksum in corpus.checksums.items() if not _is_there(directory / name, checksum)]
    pooch.get_logger().setLevel("WARNING")  # else it tells of each file in two lines
    base = (url or corpus.url).rstrip("/")
    with tqdm(total=len(missing), desc=corpus.name, unit="file", disable=None) as progress:
        for name in missing:
            with _explained(f"{base}/{name}", directory):
                directory.mkdir(parents=True, exist_ok=True)
                pooch.retrieve(
                    f"{base}/{name}",
                    known_hash=f"sha256:{corpus.checksums[name]}",
                    fname=name,
                    path=directory,
                    downloader=pooch.HTTPDownloader(),
                )
                (directory / name).chmod(0o644)  # as every new file: pooch leaves it to its owner alone
            progress.update()
    return missing


def _is_there(path: Path, checksum: str) -> bool:
    """Whether a file is there with the right content; other content is an error."""
    import pooch

    try:
        if not path.exists():
            return False
        found = pooch.file_hash(str(path), alg="sha256")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; choose another --directory") from error
    if found != checksum:
        raise UserError(
            f"{path} is there already with other content (SHA-256 {found[:12]}…, published {checksum[:12]}…): "
            "move it away, or choose another --directory"
        )
    return True


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
