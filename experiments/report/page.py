"""A report as one HTML page, with nothing beside it."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from experiments.report.verdicts import Outcome

COLOURS: dict[Outcome, str] = {
    "holds": "#1a7f37",
    "holds in part": "#9a6700",
    "does not hold": "#cf222e",
    "not told apart": "#57606a",
    "not run": "#57606a",
}
"""Of the verdicts."""

STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid #d0d7de; padding-bottom: .3rem; }
h3 { font-size: 1rem; } table { border-collapse: collapse; font-size: .9rem; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d0d7de; text-align: left; }
td { min-width: 5.5rem; } td[style*="right"] { min-width: 0; white-space: nowrap; }
code, pre { font: .9em ui-monospace, monospace; }
pre { background: #f6f8fa; padding: .7rem 1rem; border-radius: .4rem; overflow-x: auto; }
img { max-width: 100%; } .verdict { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3; } pre { background: #161b22; } img { background: #fff; }
  h2, th, td { border-color: #30363d; }
}
@media print { h2 { break-before: page; } }
"""


def page(text: str, directory: Path) -> str:
    """A report as HTML.

    Args:
        text: From :func:`report_text`.
        directory: Where the paths of its pictures and files begin; they become a part of the page.

    Raises:
        OSError: One of them cannot be read.
    """
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.attrs["src"] = _inside(directory / str(child.attrs["src"]), "image/png")
            elif child.type == "link_open" and (path := directory / str(child.attrs["href"])).is_file():
                child.attrs.update(href=_inside(path, "text/csv"), download=f"{path.parent.name}-{path.name}")
    body = str(markdown.renderer.render(tokens, markdown.options, {}))
    title = text.partition("\n")[0].removeprefix("# ")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>\n{STYLE}</style>\n</head>\n<body>\n{_coloured(body)}</body>\n</html>\n"
    )


def _inside(path: Path, kind: str) -> str:
    """A file as an address that holds it whole."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _coloured(body: str) -> str:
    """Verdicts in their colours, where a cell or the end of a claim is one."""
    for outcome, colour in COLOURS.items():
        marked = f'<span class="verdict" style="color: {colour}">{outcome}</span>'
        body = re.sub(rf"(<td[^>]*>){outcome}(?=</td>| \()", rf"\g<1>{marked}", body)
        body = body.replace(f"”: {outcome}.</strong>", f"”: {marked}.</strong>")
    return body
