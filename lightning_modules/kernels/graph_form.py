"""Layers in the form in which they are written down as a graph."""

from __future__ import annotations

from lightning_modules.kernels.scope import Scope


class GraphForm(Scope):
    """Within it layers run plain formulas whose course depends on no size and no value, so that a graph can hold it.

    What is computed is the same. What is left out are choices of what is faster, which a graph cannot make, and what a
    beam asks for: as many rows are run as there are sentences, of a decoder one step.
    """
