"""Who may ask: pages of this server alone, in requests of bounded size."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing from elsewhere, and no other page shows it."""

MOST_BYTES = 1_000_000
"""Of a request's body."""


class Guard:
    """Refuses requests under another name than the server's (DNS rebinding) or from pages of others, and large ones.

    Args:
        app: What answers the others.
        hosts: Names and addresses that the server may be asked by, without a port.
        most_bytes: Of a request's body.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope["path"])
        if refusal is not None:
            status, sentence = refusal
            await JSONResponse({"error": sentence}, status)(scope, receive, _with_policy(send))
            return
        await self._app(scope, self._bounded(receive), _with_policy(send))

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _without_port(host) not in self._hosts:
            return 403, "this server is asked under a name that is not its own"
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "this server answers its own page alone"
        is_from_elsewhere = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if is_from_elsewhere and path.startswith("/api/"):  # a link may lead to the page
            return 403, "this server answers its own page alone"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most:
            return 413, f"the request is longer than {self._most:,} bytes: send less"
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """What is received, as long as it is not too long: after that it is as if the client had left."""
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                return {"type": "http.disconnect"}
            return message

        return bounded


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _with_policy(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Cache-Control"] = "no-store"
        await send(message)

    return sending
