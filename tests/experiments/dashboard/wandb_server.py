"""As much of W&B's server as a dashboard needs: who is logged in, which projects there are, and views to save."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ENTITY = "somebody"


@dataclass
class Server:
    """What was asked of a server, and what it has.

    Attributes:
        projects: The names of its projects.
        address: Where it answers.
        views: The variables of each view that was saved.
    """

    projects: tuple[str, ...]
    address: str = ""
    views: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data that answers a query."""
        if "upsertView" in query:
            self.views.append(variables)
            view = {name: variables[name] for name in ("name", "displayName", "description", "spec", "type")}
            project = {"id": "UHJvamVjdA==", "name": variables["projectName"], "entityName": variables["entityName"]}
            saved = {"id": "Vmlldzox", "project": project, "updatedAt": "2026-01-01T00:00:00", **view}
            return {"upsertView": {"view": saved, "inserted": True}}
        if "ProjectInternalId" in query:
            known = variables["projectName"] in self.projects
            return {"project": {"id": "UHJvamVjdA==", "internalId": "UHJvamVjdDox"} if known else None}
        if "models(" in query:
            nodes = [
                {"id": name, "name": name, "entityName": ENTITY, "createdAt": "2026-01-01T00:00:00"}
                | {"isBenchmark": False, "user": None}
                for name in self.projects
            ]
            edges = [{"node": node, "cursor": "1"} for node in nodes]
            return {"models": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}
        return {"viewer": {"id": "1", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}}


@contextmanager
def running(*projects: str) -> Iterator[Server]:
    """Runs a server of W&B on this machine.

    Args:
        projects: The names of its projects.
    """
    server = Server(projects)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(b"")

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/graphql":  # W&B's own count of what it does
                return self._say(b"")
            request = json.loads(asked)
            answer = server.answer(request["query"], request.get("variables") or {})
            return self._say(json.dumps({"data": answer}).encode())

        def _say(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *values: object) -> None:
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=listening.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
