"""The page as one file that needs no server: what a model says of some sentences, and everything that draws it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.explorer.api import Api, about
from experiments.explorer.exhibits import Exhibits
from experiments.explorer.fields import Fields
from experiments.explorer.page_files import page_files
from experiments.explorer.worker import Worker

IMPORT = re.compile(r'^import \{ (.+?) \} from "\./(.+?)";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Recorded:
    """A question that an exported page can answer, with its answer.

    Attributes:
        path: Of the API.
        question: The fields that have to be equal; None of a question without any.
        answer: What the server would say.
    """

    path: str
    question: dict[str, Any] | None
    answer: dict[str, Any]


def exported(exhibits: Exhibits, sources: Sequence[str]) -> str:
    """The whole page.

    Args:
        exhibits: The checkpoints: the first one, and the one that it is compared with.
        sources: What is looked at; of a series nothing.

    Raises:
        UserError: A source cannot be looked at.
    """
    answers = asyncio.run(_recorded(exhibits, sources))
    held = {"answers": [vars(each) for each in answers]}
    data = json.dumps(held, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    files = {path.removeprefix("/"): body.decode() for path, (body, _) in page_files().items()}
    style, script = files["style.css"], bundled(files)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = re.sub(r"<link rel=.*?>\n", "", files[""])
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>\n</head>'
    page = page.replace("</head>", head)
    held_here = f'<script type="application/json" id="recorded">{data}</script>'
    return page.replace(
        '<script type="module" src="main.js"></script>', f'{held_here}\n<script type="module">{script}</script>'
    )


def bundled(files: dict[str, str]) -> str:
    """The page's modules as one script: each in a function of its own, after those that it imports.

    Args:
        files: Their texts by name; ``main.js`` begins.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        for _, other in IMPORT.findall(files[name]):
            if other not in order:
                visit(other)
        if name not in order:
            order.append(name)

    visit("main.js")
    return "const modules = {};\n" + "".join(_module(name, files[name]) for name in order)


def _module(name: str, text: str) -> str:
    exports = ", ".join(found[1] for found in EXPORT.findall(text))
    inner = IMPORT.sub(r'const { \1 } = modules["\2"];', text)
    inner = EXPORT.sub(r"\1 \2", inner)
    return f'modules["{name}"] = (() => {{\n{inner}\nreturn {{ {exports} }};\n}})();\n'


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


async def _recorded(exhibits: Exhibits, sources: Sequence[str]) -> list[Recorded]:
    worker = Worker()
    try:
        recorder = _Recorder(exhibits, worker)
        given = range(1 if exhibits.compared is None else 2)
        told = about(exhibits) | {"sources": list(sources), "corpus": False}
        told["checkpoints"] = [told["checkpoints"][number] for number in given]
        if exhibits.kind == "series":
            told["first_row"] = told["last_row"]
        kept = [Recorded("/api/about", None, told)]
        for checkpoint in given:
            if exhibits.kind == "series":
                kept.append(await recorder.ask("/api/forecast", row=told["last_row"], checkpoint=checkpoint))
            for source in sources:
                kept += await recorder.of_source(source, checkpoint)
        return kept
    finally:
        worker.close()


class _Recorder:
    """Asks what a page would ask.

    Args:
        exhibits: The checkpoints.
        worker: Computes.
    """

    def __init__(self, exhibits: Exhibits, worker: Worker) -> None:
        self._exhibits = exhibits
        self._routes = {route.path: route for route in Api(exhibits, worker).routes()}

    async def ask(self, path: str, **question: object) -> Recorded:
        """Asks one question."""
        return Recorded(path, question, await self._routes[path].answer(Fields(dict(question))))

    async def of_source(self, source: str, checkpoint: int) -> list[Recorded]:
        """All that a page shows of a sentence."""
        if self._exhibits.kind == "labels":
            paths = ("/api/label", "/api/states")
            return [await self.ask(path, source=source, checkpoint=checkpoint) for path in paths]
        kept, typed, more = [], source, {}
        if self._exhibits.music is not None:
            question = await self.ask("/api/question", music=source)
            typed, more = question.answer["source"], {"length": question.answer["length"]}
            kept.append(question)
        first = await self.ask("/api/look", source=typed, checkpoint=checkpoint, chosen=0, **more)
        kept.append(first)
        asked = {"source": typed, "checkpoint": checkpoint, **more}
        others = range(1, len(first.answer["hypotheses"]))
        for look in [await self.ask("/api/look", **asked, chosen=chosen) for chosen in others]:
            assert look.answer.pop("tree") == first.answer["tree"]  # of the search, whichever hypothesis is looked at
            kept.append(look)
        later = [path for path in ("/api/states", "/api/training") if path in self._routes]
        kept += [await self.ask(path, **asked, chosen=0) for path in later]
        if self._exhibits.music is not None:
            kept += [await self._music(source, each) for each in first.answer["hypotheses"]]
        return kept

    async def _music(self, source: str, hypothesis: dict[str, Any]) -> Recorded:
        return await self.ask("/api/music", music=source, symbols=hypothesis["pieces"][:-1])
