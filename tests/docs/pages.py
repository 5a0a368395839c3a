"""The pages that people read, and what stands in them as code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
MADE = DOCS / "reference" / "made"
"""Made of the code, each time that the site is built."""

FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}[^\n]*\n(?:^\n(?=^ {4}))?)+", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def pages() -> Iterator[tuple[Path, str]]:
    """Each page, and its Markdown; of a notebook, that of its cells which are text."""
    for path in (PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))):
        if MADE not in path.parents:
            yield path, path.read_text(encoding="utf-8")
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield path, "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of code of a page: the word behind the fence, nothing where it is indented; and the code."""
    fenced = [(word.strip(), code) for word, code in FENCED.findall(text)]
    indented = [("", re.sub("^ {4}", "", code, flags=re.MULTILINE)) for code in INDENTED.findall(FENCED.sub("", text))]
    return fenced + indented


def inline(text: str) -> list[str]:
    """What stands in the lines of a page as code."""
    return [" ".join(code.split()) for code in INLINE.findall(FENCED.sub("", text))]
