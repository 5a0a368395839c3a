"""ONNX: written by torch's exporter, run by ONNX Runtime."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.export import Dim, ExportedProgram

from datamodules.errors import UserError
from experiments.export.format import Array, Format, RunGraph
from experiments.export.graphs import Graph, Graphs
from experiments.export.layers import ONNX_OPSET, GraphEncoder, OnnxEncoder
from experiments.export.loops import LoopedEncoder, OnnxLoop
from experiments.export.naming import naming_the_part
from lightning_modules.kernels.graph_form import GraphForm

if TYPE_CHECKING:
    from onnx_ir import SymbolicDim

NEEDED = ("onnx", "onnxscript", "onnxruntime")


class OnnxFormat(Format):
    """Two files of ONNX, whose axes for batch, source and past are of any size.

    They are made by ``torch.export`` and the exporter built on it (``dynamo=True``), which follows sizes as symbols: a
    choice that depends on one is an error there, and not a graph of one size. Recurrent encoders are ONNX's own
    operators, or loops of it; see :class:`OnnxEncoder` and :class:`OnnxLoop`.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    fused: ClassVar[type[GraphEncoder]] = OnnxEncoder
    looped: ClassVar[type[LoopedEncoder]] = OnnxLoop

    def check(self) -> None:
        """Refuses to begin where a package is missing; see :meth:`Format.check`."""
        if missing := [name for name in NEEDED if find_spec(name) is None]:
            raise UserError(f"seqlab export --format onnx needs {' and '.join(missing)}: pip install 'seqlab[onnx]'")

    def write(self, graphs: Graphs, encoder: Path, step: Path) -> None:
        """Writes both graphs; see :meth:`Format.write`."""
        with naming_the_part("ONNX"), _without_notices():
            _write(graphs.encoder, encoder)
            _write(graphs.step, step)

    def load(self, path: Path) -> RunGraph:
        """Reads a graph; see :meth:`Format.load`."""
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]

        def run(arrays: Sequence[Array]) -> list[Array]:
            outputs: list[Array] = session.run(None, dict(zip(names, arrays, strict=True)))
            return outputs

        return run


def _write(graph: Graph, path: Path) -> None:
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    sizes = {name: Dim(name) for port in graph.inputs for name in port.shape if isinstance(name, str)}
    dynamic = [
        {axis: sizes[name] for axis, name in enumerate(port.shape) if isinstance(name, str)} for port in graph.inputs
    ]
    with GraphForm(), torch.no_grad():
        program = torch.export.export(
            graph.module, graph.examples, dynamic_shapes=_nested(graph, dynamic), strict=False
        )
        written = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=ONNX_OPSET,
            input_names=[port.name for port in graph.inputs],
            output_names=[port.name for port in graph.outputs],
            verbose=False,
        )
    assert written is not None  # as where a file is given to write to
    written.rename_axes(_symbols(program, graph))
    ClearMetadataAndDocStringPass()(written.model)  # which has lines of source, with paths of this machine
    written.save(path)


def _nested(graph: Graph, dynamic: list[dict[int, Dim]]) -> list[object]:
    """Dynamic axes as the arguments of the module are: of a step one, and all others as one more."""
    return [dynamic[0], dynamic[1]] if len(graph.inputs) == 2 else [dynamic[0], tuple(dynamic[1:])]


def _symbols(program: ExportedProgram, graph: Graph) -> dict[str | SymbolicDim, str]:
    """The exporter's symbols for sizes, and the names that they get."""
    names = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    return {
        str(size): name
        for port, value in zip(graph.inputs, values, strict=True)
        for size, name in zip(value.shape, port.shape, strict=True)
        if isinstance(name, str)
    }


@contextmanager
def _without_notices() -> Iterator[None]:
    """Leaves out what the exporter tells of itself on every way through it, and nobody who exports can mend.

    That torchvision, whose operators no model here has, is not installed; that an operator with several outputs is not
    computed beforehand; that torch copies a ``LeafSpec`` of its own, which it calls deprecated; and, of a part that
    cannot be exported, the whole graph before it, as the error names the part. Every other warning is shown as ever.
    """
    loggers = [logging.getLogger(name) for name in _NOTICES]
    for logger in loggers:
        logger.addFilter(_is_no_notice)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning, "copyreg"
            )
            with redirect_stderr(StringIO()) as printed:
                yield
            sys.stderr.write(printed.getvalue())
    finally:
        for logger in loggers:
            logger.removeFilter(_is_no_notice)


_NOTICES = {
    "torch.onnx._internal.exporter._registration": "torchvision is not installed",
    "torch.fx.experimental.symbolic_shapes": "Unable to find user code",
    "onnxscript.optimizer._constant_folding": "Skipping constant folding for op",
}
"""Loggers, and how what is left out of them begins."""


def _is_no_notice(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NOTICES[record.name])
