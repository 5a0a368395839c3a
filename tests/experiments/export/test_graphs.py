"""Graphs of every part: greedy search by them gives seqlab's tokens and log-probabilities, on padding too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.batch import EOS, Padded
from datamodules.errors import RunFailed
from experiments.export.checking import TOLERANCE, greatest_difference
from experiments.export.format import Format
from experiments.export.graphs import graphs_of
from experiments.export.layers import TorchScriptEncoder
from experiments.export.onnx_format import OnnxFormat
from experiments.export.torchscript_format import TorchScriptFormat
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.recurrent import Cell
from tests.experiments.export.exported_models import PARTS, VOCABULARY, model_of

IN_ONNX = [
    "lstm",
    "gru_two_layers",
    "multi_step",
    "features",
    "monotonic",
    "rotary",
    "CoverageAttention",
    "layer_norm_encoder",
]
"""Each takes the exporter several seconds: of all parts those that differ most."""

CASES = [*((TorchScriptFormat, name) for name in PARTS), *((OnnxFormat, name) for name in IN_ONNX)]

COPYING = ["copying", "transformer_copying"]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind.name}-{name}" for kind, name in CASES])
def test_the_graphs_are_the_model(kind: type[Format], name: str, tmp_path: Path, seed: int) -> None:
    check_graphs(kind(), name, tmp_path, seed, copies_unknown=False)


@pytest.mark.parametrize(("kind", "name"), [(OnnxFormat, COPYING[0]), *((TorchScriptFormat, name) for name in COPYING)])
def test_what_a_vocabulary_lacks_is_copied(kind: type[Format], name: str, tmp_path: Path, seed: int) -> None:
    check_graphs(kind(), name, tmp_path, seed, copies_unknown=True)


def check_graphs(form: Format, name: str, tmp_path: Path, seed: int, copies_unknown: bool) -> None:
    model = model_of(name, seed)
    sources = [[5, 9, 4, 7, 6, EOS], [8, EOS], [EOS]]
    if copies_unknown:
        sources[0][:5] = range(VOCABULARY, VOCABULARY + 5)
        assert isinstance(model.output, CopyVocabularyHead)
        torch.nn.init.constant_(model.output.generate.bias, -4.0)
    graphs = graphs_of(model, form.recurrent, copies_unknown)
    encoder, step = (tmp_path / f"{graph}{form.suffix}" for graph in ("encoder", "step"))
    form.write(graphs, encoder, step)
    run = form.load(encoder)
    assert greatest_difference(model, graphs, run, form.load(step)) < 1.0
    # The memory, beyond what greedy search shows of it.
    padded = Padded.from_sequences(sources)
    values, mask, *_ = run([padded.values.numpy(), padded.lengths.numpy()])
    with torch.inference_mode():
        wanted, _ = model.read(padded)
    np.testing.assert_array_equal(mask, padded.mask.numpy())
    np.testing.assert_allclose(values, wanted.numpy(), atol=1e-5)
    assert not values[~mask].any(), "0 on padding"


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_the_form_without_packing_is_the_encoder(cell: Cell, bidirectional: bool, layers: int, seed: int) -> None:
    torch.manual_seed(seed)
    encoder = RecurrentEncoder(6, cell, 5, layers, bidirectional).eval()
    lengths = torch.tensor([4, 9, 1, 7])
    embedded = torch.randn(4, 9, 6)  # not 0 on padding
    with torch.no_grad():
        values, final = encoder(embedded, lengths)
        written, last = TorchScriptEncoder(encoder)(embedded, lengths)
    torch.testing.assert_close(written, values)
    for one, other in zip(last, final, strict=True):
        torch.testing.assert_close(one, other)


def test_other_weights_are_found_out(tmp_path: Path, seed: int) -> None:
    model, form = model_of("lstm", seed), TorchScriptFormat()
    graphs = graphs_of(model, form.recurrent)
    encoder, step = tmp_path / "encoder.pt", tmp_path / "step.pt"
    form.write(graphs, encoder, step)
    with torch.no_grad():
        model.output.bias += torch.linspace(0, 100 * TOLERANCE, VOCABULARY)
    with pytest.raises(RunFailed, match="the graphs are not the model"):
        greatest_difference(model, graphs, form.load(encoder), form.load(step))
