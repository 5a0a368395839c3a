"""The server: the page, and the API behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datamodules.errors import RunFailed, UserError, short_message
from experiments.explorer import api
from experiments.explorer.fields import Fields
from experiments.explorer.guard import Guard
from experiments.explorer.page_files import page_files
from experiments.explorer.worker import Busy, Superseded, Worker

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""What this machine calls itself."""


def application(addresses: api.Api, worker: Worker, hosts: Iterable[str] = LOOPBACK) -> Starlette:
    """Makes the server's application.

    Args:
        addresses: The API.
        worker: Ends with the server.
        hosts: Names that the server may be asked by.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        worker.close()

    routes = [Route(each.path, _answering(each), methods=[each.method]) for each in addresses.routes()]
    routes += [Route(path, _serving(body, kind)) for path, (body, kind) in page_files().items()]
    guard = Middleware(Guard, hosts=tuple(hosts))
    return Starlette(
        routes=routes,
        middleware=[guard],
        exception_handlers={HTTPException: _not_there, Exception: _unforeseen},
        lifespan=lifespan,
    )


def _serving(body: bytes, kind: str) -> Callable[[Request], Response]:
    def serve(_: Request) -> Response:
        return Response(body, headers={"Content-Type": kind})

    return serve


def _answering(route: api.Route) -> Callable[[Request], object]:
    """Computes an answer; what is wrong becomes a status and a sentence."""

    async def answer(request: Request) -> Response:
        try:
            fields = Fields.of_bytes(await request.body()) if route.method == "POST" else Fields({})
            return JSONResponse(await route.answer(fields))
        except UserError as error:
            return _sentence(400, short_message(str(error)))
        except RunFailed as error:
            return _sentence(500, short_message(str(error)))
        except Superseded:
            return _sentence(409, "a newer request took the place of this one")
        except Busy:
            return _sentence(503, "too many requests are waiting: ask again in a moment")
        except ClientDisconnect:
            return _sentence(413, "the request is too long: send less")

    return answer


async def _not_there(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _sentence(status, "there is nothing here" if status == 404 else "this address takes another method")


async def _unforeseen(_: Request, __: Exception) -> Response:
    """What is told of an error that nobody foresaw; its traceback stands where the server was started."""
    return _sentence(500, "something went wrong that nobody foresaw: the terminal of seqlab explore tells what")


def _sentence(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
