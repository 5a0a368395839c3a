"""TorchScript: traced, and run by torch alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from zipfile import ZIP_STORED, ZipFile

import torch

from experiments.export.format import Array, Format, RunGraph
from experiments.export.graphs import Graph, Graphs
from experiments.export.layers import GraphEncoder, TorchScriptEncoder
from experiments.export.loops import LoopedEncoder, TorchScriptLoop
from experiments.export.naming import naming_the_part
from experiments.export.tracing import traced


class TorchScriptFormat(Format):
    """Two files of TorchScript, which ``torch.jit.load`` reads, in C++ as well.

    torch calls TorchScript deprecated, and goes on reading it. See
    :func:`traced`.
    """

    name: ClassVar[str] = "torchscript"
    suffix: ClassVar[str] = ".pt"
    fused: ClassVar[type[GraphEncoder]] = TorchScriptEncoder
    looped: ClassVar[type[LoopedEncoder]] = TorchScriptLoop

    def check(self) -> None:
        """Nothing is missing; see :meth:`Format.check`."""

    def write(self, graphs: Graphs, encoder: Path, step: Path) -> None:
        """Writes both graphs; see :meth:`Format.write`."""
        with naming_the_part("TorchScript"):
            _write(graphs.encoder, encoder)
            _write(graphs.step, step)

    def load(self, path: Path) -> RunGraph:
        """Reads a graph; see :meth:`Format.load`."""
        module = torch.jit.load(path)

        @torch.inference_mode()
        def run(arrays: Sequence[Array]) -> list[Array]:
            return [output.numpy() for output in module(*(torch.from_numpy(array) for array in arrays))]

        return run


def _write(graph: Graph, path: Path) -> None:
    content = io.BytesIO()
    torch.jit.save(traced(graph.module, graph.examples), content)
    _copy_without_sources(content, path)


def _copy_without_sources(content: io.BytesIO, path: Path) -> None:
    """Writes what ``torch.jit.save`` wrote, but for where each line comes from, with paths of this machine."""
    with ZipFile(content) as whole, ZipFile(path, "w", ZIP_STORED) as left:
        for record in whole.infolist():
            if not record.filename.endswith(".debug_pkl"):
                left.writestr(record.filename, whole.read(record))
