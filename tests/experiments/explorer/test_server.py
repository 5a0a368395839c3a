"""The server: who may ask, what is wrong told with a status and a sentence, translations in common batches."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("starlette")
pytest.importorskip("httpx2")
import uvicorn
from starlette.testclient import TestClient

from datamodules.errors import RunFailed
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from experiments.explorer import command
from experiments.explorer.api import Api
from experiments.explorer.exhibits import Exhibits
from experiments.explorer.fields import Fields
from experiments.explorer.guard import MOST_BYTES
from experiments.explorer.page_files import page_files
from experiments.explorer.server import application
from experiments.explorer.translations import TranslationQueue
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Superseded, Ticket, Worker
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write


@pytest.fixture(scope="module")
def exhibits(tmp_path_factory: pytest.TempPathFactory) -> Exhibits:
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    folder.mkdir()
    for seed, name in enumerate(("best", "epoch-000", "epoch-001")):
        write(folder / f"{name}.ckpt", tiny_checkpoint(seed=seed))
    return Exhibits([folder], device="cpu")


@pytest.fixture(scope="module")
def client(exhibits: Exhibits) -> Iterator[TestClient]:
    worker = Worker()
    with TestClient(application(Api(exhibits, worker), worker), base_url="http://127.0.0.1:8000") as made:
        yield made


def test_it_says_what_it_shows(client: TestClient) -> None:
    told = client.get("/api/about").json()
    assert [each["name"] for each in told["checkpoints"][1:]] == ["epoch-000", "epoch-001"]
    assert told["checkpoints"][1]["of_training"]
    assert (told["heads"], told["kind"]) == (1, "translation")


def test_a_look_is_answered_by_each_checkpoint(client: TestClient) -> None:
    answers = [client.post("/api/look", json={"source": "abc", "checkpoint": number}) for number in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert len({each.text for each in answers}) == 3
    assert "give 0 to 2" in client.post("/api/look", json={"source": "abc", "checkpoint": 3}).json()["error"]


def test_translations_are_those_of_the_translator(client: TestClient, exhibits: Exhibits) -> None:
    lines = ["abc", "", "hg fe", "ü"]
    answer = client.post("/api/translate", json={"sources": lines, "beam_size": 3, "n_best": 2})
    translator = exhibits.view(0, TranslationView).translator
    expected = translator.hypotheses(lines, translator.beam_search(3, 2))
    told = answer.json()["translations"]
    assert [[each["text"] for each in found] for found in told] == [[each.text for each in found] for found in expected]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/look", b"{", 400),
        ("/api/look", b"[1]", 400),
        ("/api/look", b"\xff\xfe", 400),
        ("/api/look", b"[" * 100_000, 400),
        ("/api/look", b'{"source": "a", "extra": 1}', 400),
        ("/api/look", b'{"source": "a", "beam_size": 1e999}', 400),
        ("/api/look", b'{"source": "a", "checkpoint": -1}', 400),
        ("/api/look", b'{"source": "' + b"a" * MOST_BYTES + b'"}', 413),
        ("/api/translate", b'{"sources": []}', 400),
        ("/api/translate", b'{"sources": ["a", 3]}', 400),
        ("/api/translate", b'{"sources": ["a"], "beam_size": 2, "n_best": 3}', 400),
        ("/api/translate", json.dumps({"sources": ["a"] * 257}).encode(), 400),
        ("/api/nothing", b"{}", 404),
        ("/../pyproject.toml", b"{}", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", b"{}", 404),
        ("/api/about", b"{}", 405),
    ],
)
def test_what_is_wrong_has_a_status_and_a_sentence(client: TestClient, path: str, body: bytes, status: int) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example:8000"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_it_answers_its_own_page_under_its_own_name(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.get("/api/about", headers=headers).status_code == status


def test_a_link_from_elsewhere_leads_to_the_page(client: TestClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    files = page_files()
    assert sum(len(body) for body, _ in files.values()) < 200_000
    for path, (body, kind) in files.items():
        addresses = [word for word in body.decode().split('"') if "://" in word and "www.w3.org" not in word]
        assert not addresses, path
        assert client.get(path).headers["content-type"] == kind


def test_a_newer_request_takes_the_place_of_an_older_one() -> None:
    begun, done = threading.Event(), []

    def first(ticket: Ticket) -> None:
        begun.set()
        while True:
            ticket.check()

    async def ask() -> list[Any]:
        worker = Worker()
        older = asyncio.create_task(worker.run("page", first))
        await asyncio.to_thread(begun.wait)
        waiting = asyncio.create_task(worker.run("page", lambda _: done.append("waiting")))
        await asyncio.sleep(0)
        other = asyncio.create_task(worker.run("other page", lambda _: "other"))
        newest = asyncio.create_task(worker.run("page", lambda _: "newest"))
        answers = await asyncio.gather(older, waiting, other, newest, return_exceptions=True)
        worker.close()
        return answers

    older, waiting, other, newest = asyncio.run(ask())
    assert isinstance(older, Superseded)
    assert isinstance(waiting, Superseded)
    assert (other, newest, done) == ("other", "newest", [])


def test_too_many_are_told_to_come_back(exhibits: Exhibits) -> None:
    worker = Worker(most_waiting=0)
    with TestClient(application(Api(exhibits, worker), worker), base_url="http://localhost") as busy:
        assert busy.post("/api/look", json={"source": "abc"}).status_code == 503
        assert busy.post("/api/translate", json={"sources": ["abc"]}).status_code == 503


def test_what_waits_is_translated_together(exhibits: Exhibits, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = Translator.search_sorted

    def counted(self: Translator, sources: list[list[int]], search: Search, size: int) -> list[list[Hypothesis]]:
        sizes.append(len(sources))
        return plain(self, sources, search, size)

    monkeypatch.setattr(Translator, "search_sorted", counted)
    translator = exhibits.view(0, TranslationView).translator

    async def ask() -> list[Any]:
        worker = Worker()
        queue = TranslationQueue(worker, lambda: translator)
        asked = [{"sources": [word]} for word in ("abc", "b", "hh", "ü a")] + [{"sources": ["a"], "beam_size": 2}]
        answers = await asyncio.gather(*(queue.translate(Fields(each)) for each in asked))
        worker.close()
        return answers

    answers = asyncio.run(ask())
    assert sizes == [1, 3, 1], "the first begins at once, the others wait for it; another beam goes by itself"
    monkeypatch.undo()
    alone = [translator.translate([word])[0].text for word in ("abc", "b", "hh", "ü a")]
    assert [each["translations"][0][0]["text"] for each in answers[:4]] == alone


@pytest.mark.parametrize("failing", [False, True])
def test_who_leaves_takes_nobody_along(exhibits: Exhibits, failing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first is the one that has gone, or what was asked together fails."""
    begun, go_on = threading.Event(), threading.Event()
    plain = Translator.search_sorted

    def held(self: Translator, sources: list[list[int]], search: Search, size: int) -> list[list[Hypothesis]]:
        begun.set()
        go_on.wait()
        if failing and len(sources) > 1:
            raise RunFailed("too much at once")
        return plain(self, sources, search, size)

    monkeypatch.setattr(Translator, "search_sorted", held)
    translator = exhibits.view(0, TranslationView).translator

    async def ask() -> list[Any]:
        worker = Worker()
        queue = TranslationQueue(worker, lambda: translator)
        first, *others = (asyncio.create_task(queue.translate(Fields({"sources": [word]}))) for word in "abch")
        await asyncio.to_thread(begun.wait)
        for leaving in (first, others[0]):
            leaving.cancel()
        await asyncio.sleep(0)
        go_on.set()
        answers = await asyncio.wait_for(asyncio.gather(*others[1:]), 60)
        later = await asyncio.wait_for(queue.translate(Fields({"sources": ["a"]})), 60)
        worker.close()
        return [*answers, later]

    answers = asyncio.run(ask())
    monkeypatch.undo()
    told = [each["translations"][0][0]["text"] for each in answers]
    assert told == [translator.translate([word])[0].text for word in "cha"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--ckpt_path", "gone.ckpt"], "gone.ckpt"),
        (["--ckpt_path", "CKPT", "--port", "70000"], "--port is 70000: give 1 to 65535"),
        (["--ckpt_path", "CKPT", "--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--ckpt_path", "CKPT", "--prot", "1"], "unknown option"),
        (["--ckpt_path", "CKPT", "--threads", "0"], "'0' is no whole number above 0"),
        (["--ckpt_path", "CKPT", "--input", "lines"], "--input is for --export"),
        (["--ckpt_path", "CKPT", "--export", "x.html"], "give one by --input, a sentence in each line"),
        (["--ckpt_path", "CKPT", "--export", "x.html", "--input", "gone"], "gone"),
        (["--ckpt_path", "CKPT", "--export", "no/x.html", "--input", "gone"], "the directory no does not exist"),
        (["--ckpt_path", "CKPT", "--corpus", "gone"], "gone"),
        ([], "the following arguments are required: --ckpt_path"),
    ],
)
def test_the_command_refuses_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "tiny.ckpt", tiny_checkpoint())
    assert main(["explore", *(str(path) if word == "CKPT" else word for word in words), "--no_browser"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert told in error


def test_without_its_packages_one_line_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    path = write(tmp_path / "tiny.ckpt", tiny_checkpoint())
    assert main(["explore", "--ckpt_path", str(path)]) == 2
    assert "needs starlette and uvicorn: pip install 'seqlab[explore]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "warned", "opened"),
    [(["--no_browser"], False, False), ([], False, True), (["--host", "0.0.0.0", "--no_browser"], True, False)],
)
def test_it_warns_of_other_addresses_and_opens_the_browser(
    words: list[str],
    warned: bool,
    opened: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    delays: list[int] = []

    def run(_: uvicorn.Server, sockets: list[socket.socket]) -> None:
        shown.append(sockets[0].getsockname()[0])
        with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1])), sockets[0].accept()[0] as accepted:
            delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(command.webbrowser, "open", shown.append)
    monkeypatch.setattr("uvicorn.Server.run", run)
    closed: list[str] = []
    handler = logging.NullHandler()
    monkeypatch.setattr(handler, "close", lambda: closed.append("a handler of others"))
    path = write(tmp_path / "tiny.ckpt", tiny_checkpoint())
    assert main(["explore", "--ckpt_path", str(path), "--port", "0", "--threads", "2", *words]) == 0
    assert torch.get_num_threads() == 2
    assert not closed
    assert all(delays), "an answer in two parts does not wait"
    assert len(delays) == 1
    out, err = capsys.readouterr()
    url = out.split()[0]
    assert ("can be reached from other machines" in err) is warned
    assert shown == [*([url] if opened else []), "0.0.0.0" if warned else "127.0.0.1"]
