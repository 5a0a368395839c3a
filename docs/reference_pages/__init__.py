"""The pages of the site that are made of the code itself, each time that the site is built, so that none goes stale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reference_pages.commands import command_pages
from reference_pages.configs import config_page
from reference_pages.mathml import visit_display, visit_inline
from reference_pages.metrics import metric_page
from reference_pages.parts import part_pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

FOLDER = Path("reference") / "made"
"""Where the pages are written, below the sources of the site."""


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls: pages are made before it looks for sources, and formulas become MathML."""
    app.connect("builder-inited", write_pages)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Writes the pages; one that says what it said is left as it is, and is not read again.

    Args:
        app: Knows where the sources are.
    """
    pages = {**command_pages(), **part_pages(), "metrics": metric_page(), "configs": config_page()}
    folder = Path(app.srcdir) / FOLDER
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).with_suffix("").as_posix() not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
