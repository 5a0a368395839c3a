"""``seqlab explore``: a page in the browser that looks into a checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import socket
import sys
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import (
    ToolParser,
    add_checkpoint_option,
    add_device_option,
    add_trust_option,
    positive,
)
from experiments.storage.layout import find_checkpoint
from experiments.storage.outputs import check_outputs, open_output, write

if TYPE_CHECKING:
    from experiments.explorer.exhibits import Exhibits

MOST_EXPORTED = 100
"""Sentences in one page: each takes a tenth of a megabyte, or more."""

PACKAGES = ("starlette", "uvicorn")

EPILOG = """\
The page shows what a model makes of a sentence that is typed: its pieces, the hypotheses, what each token attends to,
the most probable continuations of each step, any of which can be forced, and the beam as a tree; sliders change the
temperature of the attention and all that a search takes. Its address holds what is shown: send it to somebody who runs
the same command. docs/explorer.md has a tour, and the API.

The server answers this machine alone. --host gives it another address, which others may reach: it has no passwords.

examples:
  seqlab explore --ckpt_path runs/dates/1
  seqlab explore --ckpt_path runs/dates/1 --compare runs/dates/2
  seqlab explore --ckpt_path runs/dates/1 --export page.html --input sentences.txt
  curl -d '{"sources": ["the third of June"]}' http://127.0.0.1:8000/api/translate
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab explore``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, a checkpoint cannot be used, or the port is taken.
    """
    given = _parser().parse_args(arguments)
    if not 0 <= given.port < 2**16:
        raise UserError(f"--port is {given.port}: give 1 to 65535, or 0 for any that is free")
    from experiments.explorer.exhibits import Exhibits
    from experiments.explorer.neighbours import Corpus

    paths = [given.ckpt_path, *([] if given.compare is None else [given.compare])]
    if given.corpus is not None and given.export is not None:
        raise UserError("--export has no nearest neighbours: leave --corpus out")
    if given.export is None:
        _check_packages()
    else:
        inputs = [] if given.input is None else [("--input", Path(given.input))]
        check_outputs([("--ckpt_path", find_checkpoint(path)) for path in paths], {"--export": given.export}, inputs)
    corpus = None if given.corpus is None else Corpus.of_files(given.corpus)
    exhibits = Exhibits(paths, given.trust, given.device, given.input, corpus)
    _check_files(given, exhibits)
    if given.export is not None:
        _export(given, exhibits)
        return 0
    with contextlib.suppress(KeyboardInterrupt):  # how it ends
        _serve(given, exhibits)
    return 0


def _check_files(given: argparse.Namespace, exhibits: Exhibits) -> None:
    """Refuses files that nothing would be made of."""
    if given.input is not None and given.export is None and exhibits.kind != "series":
        raise UserError("--input is for --export, or the series of a checkpoint that forecasts: type into the page")
    if given.corpus is not None and exhibits.kind != "translation":
        raise UserError("--corpus is for checkpoints that translate: leave it out")


def _export(given: argparse.Namespace, exhibits: Exhibits) -> None:
    """Writes the page with what the model says of the lines of the input."""
    from experiments.explorer.export import exported

    page = exported(exhibits, _sources(given, exhibits)).encode()
    with open_output(given.export) as file:
        write(file, page)
    print(given.export)


def _sources(given: argparse.Namespace, exhibits: Exhibits) -> list[str]:
    """What is looked at: the lines of the input; the whole input where it is music, nothing where it is a series.

    Raises:
        UserError: There is nothing, or too much.
    """
    from datamodules.corpora.corpus import read_lines

    if exhibits.kind == "series":
        return []
    if given.input is None:
        raise UserError("--export shows what is in a file: give one by --input, a sentence in each line")
    lines = list(read_lines(Path(given.input)))
    if exhibits.music is not None:
        return ["\n".join(lines)]
    kept = [line for line in lines if line.strip()]
    if not 1 <= len(kept) <= MOST_EXPORTED:
        raise UserError(f"--input {given.input} has {len(kept):,} lines with text: give 1 to {MOST_EXPORTED}")
    return kept


def _check_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(f"seqlab explore needs {' and '.join(missing)}: pip install 'seqlab[explore]'")


def _serve(given: argparse.Namespace, exhibits: Exhibits) -> None:
    import torch
    import uvicorn

    from experiments.explorer.api import Api
    from experiments.explorer.server import LOOPBACK, application
    from experiments.explorer.worker import Worker

    torch.set_num_threads(given.threads)
    worker = Worker()
    listening = _listen(given.host, given.port)
    port = listening.getsockname()[1]
    hosts = [*LOOPBACK, given.host, *given.allow_host]
    app = application(Api(exhibits, worker), worker, hosts)
    shown = f"[{given.host}]" if ":" in given.host else given.host
    url = f"http://{shown}:{port}/"
    if not _is_loopback(given.host):
        print(
            f"seqlab: warning: {given.host} can be reached from other machines, and whoever reaches it may use the "
            "model: leave --host out for this machine alone",
            file=sys.stderr,
        )
    print(f"{url} (Ctrl-C ends)", flush=True)
    if not given.no_browser:
        webbrowser.open(url)
    # uvicorn's own configuration of logging would close the handlers of everybody else.
    settings = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_keep_alive=30)
    with listening:
        uvicorn.Server(settings).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that others can connect to from now on.

    Raises:
        UserError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"cannot listen on {host}, port {port}: {told}; give another --port") from error
    # Connections have it of this one; without it an answer's second part waits 40 ms for the first to be confirmed.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab explore",
        description="Opens a page in the browser that looks into a checkpoint.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_option(parser, ", and those of its epochs")
    parser.add_argument("--compare", type=Path, metavar="CKPT", help="another one, shown beside it")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="of the page (default: 8000; 0: any)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where the server listens (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument(
        "--allow_host",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="another name that the server may be asked by, where --host is not this machine's own",
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="the series that is forecast, a CSV file; with --export the text whose lines are shown",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="pairs to look for the nearest decoder states in: one file with tabs, or sources and targets",
    )
    parser.add_argument(
        "--export", type=Path, metavar="FILE.html", help="write the page into one file that needs no server, and end"
    )
    parser.add_argument("--no_browser", action="store_true", help="do not open the browser")
    parser.add_argument(
        "--threads",
        type=positive,
        default=1,
        metavar="N",
        help="of the CPU, for one computation (default: 1, which is fastest for small models; more for large ones)",
    )
    add_trust_option(parser)
    add_device_option(parser)
    return parser
