"""What a format of graphs offers: it writes them, and runs what it wrote on arrays, as whoever uses the files does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from experiments.export.graphs import Graphs
from experiments.export.layers import GraphEncoder
from experiments.export.loops import LoopedEncoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.layer_norm_lstm import LayerNormLSTM

Array = NDArray[Any]

RunGraph = Callable[[Sequence[Array]], list[Array]]
"""Runs a graph: its inputs in their order to its outputs in theirs."""


class Format(ABC):
    """A kind of files that graphs are written to.

    Attributes:
        name: As ``--format`` has it.
        suffix: The end of the files' names.
        fused: The form that recurrent encoders have in it whose cell it has an operator of.
        looped: That of the others.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    fused: ClassVar[type[GraphEncoder]]
    looped: ClassVar[type[LoopedEncoder]]

    def recurrent(self, encoder: RecurrentEncoder) -> GraphEncoder:
        """The form that a recurrent encoder has.

        Args:
            encoder: In evaluation mode.
        """
        return (self.looped if isinstance(encoder.rnn, LayerNormLSTM) else self.fused)(encoder)

    @abstractmethod
    def check(self) -> None:
        """Refuses to begin where a package is missing.

        Raises:
            UserError: One is.
        """

    @abstractmethod
    def write(self, graphs: Graphs, encoder: Path, step: Path) -> None:
        """Writes both graphs.

        Args:
            graphs: What is written.
            encoder: The encoder's file.
            step: The step's file.

        Raises:
            UserError: A part of the model cannot be written; the message names it.
        """

    @abstractmethod
    def load(self, path: Path) -> RunGraph:
        """Reads the graph of a file."""
