"""Formulas as MathML, which browsers draw themselves: no script is loaded for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

if TYPE_CHECKING:
    from docutils.nodes import math, math_block
    from sphinx.writers.html5 import HTML5Translator


def visit_inline(translator: HTML5Translator, node: math) -> None:
    """Writes a formula within a line."""
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise SkipNode


def visit_display(translator: HTML5Translator, node: math_block) -> None:
    """Writes a formula in a line of its own."""
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise SkipNode
