"""Fetching a corpus from a server that may be good, bad or gone."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datamodules.errors import RunFailed, UserError
from experiments.config.shipped_configs import find_config
from experiments.tools.corpora import CORPORA, DJANGO, MULTI30K, Corpus
from experiments.tools.fetch import fetch, main

PUBLISHED = {"train.en.gz": b"one\ntwo\n" * 5000, "train.de.gz": b"eins\nzwei\n" * 5000}


class Server:
    """A local HTTP server of a few files.

    Attributes:
        files: What it serves, by name.
        statuses: The status that it answers, by name, where not 200.
        cut: The names of files whose transfer breaks off half-way.
        stalled: The names of files whose transfer stops half-way without an end.
        requests: The names that were asked for, in order.
    """

    def __init__(self) -> None:
        self.files = dict(PUBLISHED)
        self.statuses: dict[str, int] = {}
        self.cut: set[str] = set()
        self.stalled: set[str] = set()
        self.requests: list[str] = []
        self.half_sent = threading.Event()
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Keeps the output of the tests clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/raw"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.removeprefix("/raw/")
        self.requests.append(name)
        content = self.files.get(name, b"")
        request.send_response(self.statuses.get(name, 200 if name in self.files else 404))
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if name not in self.cut | self.stalled:
            request.wfile.write(content)
            return
        request.wfile.write(content[: len(content) // 2])
        request.wfile.flush()
        self.half_sent.set()
        if name in self.stalled:
            self.released.wait(timeout=60)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Server() as running:
        yield running


@pytest.fixture
def corpus(server: Server) -> Corpus:
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in PUBLISHED.items()}
    return Corpus("tiny", server.url, checksums, config="configs/nmt/tiny.yaml")


def content(directory: Path) -> dict[str, bytes]:
    """All files under a directory, temporary and hidden ones too."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_fetches_every_file_and_tells_the_next_command(
    server: Server, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "my data"
    assert main(["tiny", "--directory", str(directory)], {"tiny": corpus}) == 0
    assert content(directory) == {f"tiny/{name}": text for name, text in PUBLISHED.items()}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in (directory / "tiny").iterdir())
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.splitlines() == [
        f"tiny: 2 files in {directory / 'tiny'}, 2 fetched, 0 there already",
        f"next: SEQLAB_DATA='{directory}' seqlab fit --config configs/nmt/tiny.yaml",
    ]


def test_the_default_directory_is_that_of_the_data(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    main(["tiny"], {"tiny": corpus})
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "elsewhere"))
    main(["tiny"], {"tiny": corpus})
    assert {path.parent.relative_to(tmp_path) for path in tmp_path.rglob("*.gz")} == {
        Path("data/tiny"),
        Path("elsewhere/tiny"),
    }
    assert capsys.readouterr().out.count("next: seqlab fit --config configs/nmt/tiny.yaml\n") == 2


def test_another_address_takes_the_place_of_the_published_one(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    moved = Corpus(corpus.name, "http://published.invalid", corpus.checksums, corpus.config)
    assert main(["tiny", "--directory", str(tmp_path), "--url", server.url + "/"], {"tiny": moved}) == 0
    assert server.requests == list(PUBLISHED)


def test_a_good_file_is_kept_and_not_fetched_again(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "train.en.gz").write_bytes(PUBLISHED["train.en.gz"])
    before = (tmp_path / "train.en.gz").stat()
    assert fetch(corpus, tmp_path) == ["train.de.gz"]
    assert server.requests == ["train.de.gz"]
    after = (tmp_path / "train.en.gz").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_file_of_the_same_name_is_not_replaced(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "train.de.gz").write_bytes(b"my own")
    with pytest.raises(UserError, match=r"train\.de\.gz is there already with other content.*move it away"):
        fetch(corpus, tmp_path)
    assert content(tmp_path) == {"train.de.gz": b"my own"}
    assert server.requests == []  # found before anything is fetched


def test_a_wrong_checksum_leaves_nothing(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    server.files["train.en.gz"] = b"something else"
    with pytest.raises(RunFailed, match=r"/raw/train\.en\.gz is not the file that was published") as failed:
        fetch(corpus, tmp_path)
    assert "\n" not in str(failed.value)
    assert content(tmp_path) == {}


def test_a_broken_transfer_leaves_the_whole_files_alone(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    server.cut.add("train.de.gz")
    with pytest.raises(RunFailed, match=r"cannot fetch .*/raw/train\.de\.gz: the transfer broke off") as failed:
        fetch(corpus, tmp_path)
    assert "\n" not in str(failed.value)
    assert content(tmp_path) == {"train.en.gz": PUBLISHED["train.en.gz"]}
    server.cut.clear()
    assert fetch(corpus, tmp_path) == ["train.de.gz"]
    assert content(tmp_path) == PUBLISHED


@pytest.mark.parametrize(("status", "answer"), [(404, "404 Not Found"), (500, "500 Internal Server Error")])
def test_what_the_server_answers_is_told(
    server: Server, corpus: Corpus, tmp_path: Path, status: int, answer: str
) -> None:
    server.statuses["train.en.gz"] = status
    with pytest.raises(RunFailed, match=rf"cannot fetch .*/raw/train\.en\.gz: the server answers {answer}") as failed:
        fetch(corpus, tmp_path)
    assert "\n" not in str(failed.value)
    assert content(tmp_path) == {}


def _refused() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("url", [_refused(), "http://no-such-host.invalid/raw"], ids=["refused", "no name"])
def test_a_missing_network_is_one_line(corpus: Corpus, tmp_path: Path, url: str) -> None:
    with pytest.raises(RunFailed, match=r"cannot fetch .*/train\.en\.gz: no answer .* check the network") as failed:
        fetch(corpus, tmp_path, url)
    assert "\n" not in str(failed.value)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("url", ["here", "ftp://here", "http://"])
def test_an_address_that_is_none_is_the_users_error(corpus: Corpus, tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"^--url: .* is no address to fetch from$"):
        fetch(corpus, tmp_path, url)


def test_a_file_in_the_place_of_the_directory(server: Server, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("a file")
    for directory in (tmp_path / "tiny", tmp_path / "tiny" / "deeper"):
        with pytest.raises(UserError, match=r"cannot write to .*tiny.*; choose another --directory"):
            fetch(corpus, directory)
    assert content(tmp_path) == {"tiny": b"a file"}


@contextmanager
def _disk_with(size: int) -> Iterator[None]:
    """No file can grow beyond that many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing(corpus: Corpus, tmp_path: Path) -> None:
    with _disk_with(10_000), pytest.raises(RunFailed, match=r"^cannot write to .*: File too large; "):
        fetch(corpus, tmp_path)
    assert content(tmp_path) == {}


@pytest.fixture
def plain(server: Server) -> Corpus:
    """A corpus that is published as it is, under other names."""
    server.files = {"train/tiny.trn": b"a\tb\n" * 5000, "dev/tiny.dev": b"c\td\n" * 50}
    paths = {"tiny_train.tsv.gz": "train/tiny.trn", "tiny_dev.tsv.gz": "dev/tiny.dev"}
    checksums = {name: hashlib.sha256(server.files[path]).hexdigest() for name, path in paths.items()}
    return Corpus("tiny", server.url, checksums, "configs/nmt/tiny.yaml", paths, "free for all")


def test_a_file_that_is_published_as_it_is_becomes_a_compressed_one(
    server: Server, plain: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiny", "--directory", str(tmp_path)], {"tiny": plain}) == 0
    assert "licence: free for all\n" in capsys.readouterr().out
    found = content(tmp_path)
    assert {name: gzip.decompress(data) for name, data in found.items()} == {
        f"tiny/{name}": server.files[path] for name, path in plain.paths.items()
    }
    assert all(data[4:8] == bytes(4) for data in found.values())  # the time of a gzip's header
    assert [path.name for path in (tmp_path / "tiny").iterdir() if path.is_dir()] == []
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in (tmp_path / "tiny").iterdir())
    assert server.requests == list(plain.paths.values())
    assert main(["tiny", "--directory", str(tmp_path)], {"tiny": plain}) == 0
    assert content(tmp_path) == found
    assert server.requests == list(plain.paths.values())


def test_one_that_was_compressed_elsewhere_is_kept(server: Server, plain: Corpus, tmp_path: Path) -> None:
    own = gzip.compress(server.files["dev/tiny.dev"], compresslevel=1)
    (tmp_path / "tiny_dev.tsv.gz").write_bytes(own)
    assert fetch(plain, tmp_path) == ["tiny_train.tsv.gz"]
    assert content(tmp_path)["tiny_dev.tsv.gz"] == own


@pytest.mark.parametrize(
    "other",
    [b"no gzip", gzip.compress(b"other", mtime=0), gzip.compress(b"cut off" * 99, mtime=0)[:-9]],
    ids=["no gzip", "other", "cut off"],
)
def test_other_content_in_its_place_is_not_replaced(
    server: Server, plain: Corpus, tmp_path: Path, other: bytes
) -> None:
    (tmp_path / "tiny_dev.tsv.gz").write_bytes(other)
    with pytest.raises(UserError, match=r"tiny_dev\.tsv\.gz is there already with other content.*move it away"):
        fetch(plain, tmp_path)
    assert content(tmp_path) == {"tiny_dev.tsv.gz": other}
    assert server.requests == []


def test_the_first_lines_are_kept_and_checked(server: Server, tmp_path: Path) -> None:
    checksum = hashlib.sha256(b"1\n2\n").hexdigest()
    first = Corpus(
        "tiny",
        server.url,
        {"two.csv.gz": checksum},
        config="configs/nmt/tiny.yaml",
        paths={"two.csv.gz": "all.csv"},
        lines={"two.csv.gz": 2},
    )
    server.files["all.csv"] = b"1\n3\n3\n"
    with pytest.raises(RunFailed, match=r"/raw/all\.csv is not the file that was published"):
        fetch(first, tmp_path)
    assert list(tmp_path.rglob("*")) == []
    server.files["all.csv"] = b"1\n2\n3\n"
    assert fetch(first, tmp_path) == ["two.csv.gz"]
    assert gzip.decompress((tmp_path / "two.csv.gz").read_bytes()) == b"1\n2\n"
    assert fetch(first, tmp_path) == []


def test_what_goes_wrong_before_it_is_compressed_leaves_nothing(server: Server, plain: Corpus, tmp_path: Path) -> None:
    server.cut = {"train/tiny.trn"}
    with pytest.raises(RunFailed, match=r"cannot fetch .*/raw/train/tiny\.trn: the transfer broke off"):
        fetch(plain, tmp_path)
    server.cut = set()
    server.files["train/tiny.trn"] = b"something else"
    with pytest.raises(RunFailed, match=r"/raw/train/tiny\.trn is not the file that was published"):
        fetch(plain, tmp_path)
    with _disk_with(10), pytest.raises(RunFailed, match=r"File too large"):
        fetch(plain, tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["g2p", "inflection", "django", "ett", "forecast", "jsb"])
def test_what_the_configs_name_is_fetched_whole(
    name: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the published names and checksums, from a server that has the same content."""
    folder, corpus = Path(os.environ.get("SEQLAB_DATA", "data")) / name, CORPORA[name]
    if not all((folder / file).is_file() for file in corpus.checksums):
        pytest.skip(f"no {name} in {folder.parent}")
    wanted = {file: _plain(file, (folder / file).read_bytes()) for file in corpus.checksums}
    further = dict.fromkeys(corpus.lines, b"2014\n" * 3)  # which are not kept
    server.files = {corpus.path(file): text + further.get(file, b"") for file, text in wanted.items()}
    assert main([name, "--directory", str(tmp_path), "--url", server.url]) == 0
    assert {file: _plain(file, data) for file, data in content(tmp_path / name).items()} == wanted
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith(f"{len(wanted)} fetched, 0 there already")
    assert told[1] == f"licence: {corpus.licence}"
    assert fetch(corpus, folder, server.url) == []  # what was compressed elsewhere


def _plain(file: str, data: bytes) -> bytes:
    return gzip.decompress(data) if file.endswith(".gz") else data


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=lambda corpus: corpus.name)
def test_a_config_names_what_is_fetched(corpus: Corpus) -> None:
    told = find_config(Path(corpus.config)).read_text()
    named = re.findall(rf"{corpus.name}/([\w.-]+\.(?:gz|json))", told)
    assert named
    assert set(named) <= set(corpus.checksums)
    assert set(corpus.paths) <= set(corpus.checksums)


def test_an_address_is_made_of_both_parts() -> None:
    assert f"{DJANGO.url}/{DJANGO.path('all.code.gz')}".endswith("/ase15-django-dataset/master/django/all.code")
    paths = CORPORA["inflection"].paths
    assert (paths["hun_test.tsv.gz"], paths["swa_train.tsv.gz"]) == ("hun.tst", "swa.trn")
    assert CORPORA["g2p"].paths["bul_dev.tsv.gz"] == "dev/bul_dev.tsv"


def test_prepared_data_is_no_public_corpus() -> None:
    with pytest.raises(UserError, match=r"unknown corpus 'nl2bash'"):
        main(["nl2bash"])


def test_an_unknown_corpus_is_answered_with_close_ones() -> None:
    with pytest.raises(UserError, match=r"unknown corpus 'multi30': did you mean 'multi30k'\?"):
        main(["multi30"])


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiments.cli", "fetch", *arguments]


def test_the_command_line_refuses_another_file_in_one_line(server: Server, tmp_path: Path) -> None:
    server.files = dict.fromkeys(MULTI30K.checksums, b"not Multi30k")
    ended = subprocess.run(
        _command("multi30k", "--directory", str(tmp_path), "--url", server.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"seqlab: error: {server.url}/train.en.gz is not the file that was published")
    assert ended.stderr.count("\n") == 1
    assert content(tmp_path) == {}


def test_an_interrupted_fetch_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.files = dict.fromkeys(MULTI30K.checksums, b"half of this" * 5000)
    server.stalled = set(MULTI30K.checksums)
    process = subprocess.Popen(
        _command("multi30k", "--directory", str(tmp_path), "--url", server.url),
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert server.half_sent.wait(timeout=60)
    assert content(tmp_path) != {}  # the temporary file
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert content(tmp_path) == {}


def test_the_checksums_are_those_of_the_published_files(multi30k: Path) -> None:
    found = {name: hashlib.sha256((multi30k / name).read_bytes()).hexdigest() for name in MULTI30K.checksums}
    assert found == MULTI30K.checksums
