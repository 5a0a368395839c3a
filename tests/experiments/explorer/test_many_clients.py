"""Many clients at once, right and wrong requests among one another: each gets an answer, and memory stays bounded."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx2")
import httpx2 as httpx

from experiments.explorer.api import Api
from experiments.explorer.exhibits import Exhibits
from experiments.explorer.guard import MOST_BYTES
from experiments.explorer.server import application
from experiments.explorer.worker import Worker
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

CLIENTS, REQUESTS = 200, 10

ALLOWED = {200, 307, 400, 403, 404, 405, 409, 413, 503}

PATHS = [
    *("/", "/main.js", "/api/about", "/api/openapi.json", "/api/look", "/api/states", "/api/translate", "/api/label"),
    *("/api/../../etc/passwd", "/%2e%2e/%2e%2e/pyproject.toml", "/api/look/", "//api/look", "/\u00fc"),
]

HOSTS = ["127.0.0.1:8000", "localhost:8000", "evil.example", "127.0.0.1.evil.example", ""]


def body(draw: random.Random) -> bytes:
    """A request that may be right, or wrong in its fields, as JSON, as text, or in its length."""
    text = "".join(draw.choice("abchgü \t\n\0\u2028😀") for _ in range(draw.randrange(12)))
    fields: dict[str, object] = {"source": text, "sources": [text, "abc"], "beam_size": draw.choice([1, 3, 0, -1, 1e9])}
    for name in ("chosen", "prefix", "left_out", "attention_temperature", "slot", "n_best", "nothing"):
        if draw.random() < 0.3:
            fields[name] = draw.choice([0, 1, -1, None, "a", [], [0], [10**9], {}, 1e-30, True])
    kept = {name: value for name, value in fields.items() if draw.random() < 0.7}
    written = json.dumps(kept).encode()
    return draw.choice(
        [written, written, written, written[:-1], b"", b"\xff" + written, b"[" * 9999, b"0" * (MOST_BYTES + 1)]
    )


def memory() -> int:
    """Bytes that this process has."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads the memory of the process from /proc")
def test_two_hundred_clients_at_once(tmp_path: Path, seed: int) -> None:
    exhibits = Exhibits([write(tmp_path / "tiny.ckpt", tiny_checkpoint())], device="cpu")
    worker = Worker()
    server = httpx.ASGITransport(application(Api(exhibits, worker), worker), raise_app_exceptions=False)
    statuses = Counter[int]()

    async def client(number: int) -> None:
        draw = random.Random(seed + number)
        async with httpx.AsyncClient(transport=server, base_url="http://127.0.0.1:8000", timeout=120) as asking:
            for _ in range(REQUESTS):
                path, host = draw.choice(PATHS), draw.choice(HOSTS) if draw.random() < 0.2 else HOSTS[0]
                method = "GET" if draw.random() < 0.2 else "POST"
                answer = await asking.request(method, path, content=body(draw), headers={"Host": host})
                statuses[answer.status_code] += 1
                assert answer.status_code in ALLOWED, (method, path, host, answer.text)
                if answer.status_code >= 400:
                    assert list(answer.json()) == ["error"]
                    assert "Traceback" not in answer.text

    async def all_of_them(count: int) -> None:
        await asyncio.gather(*(client(number) for number in range(count)))

    asyncio.run(all_of_them(20))  # what the first requests load stays
    before = memory()
    asyncio.run(all_of_them(CLIENTS))
    worker.close()
    assert memory() - before < 100 * 2**20
    assert statuses.total() == (20 + CLIENTS) * REQUESTS
    assert {200, 400, 403, 404, 405, 413} <= set(statuses), "every kind was among them"
