"""``seqlab benchmark``: operations against a counter of torch's, and the whole on two small models."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from datamodules.batch import BOS, EOS, Padded, SequenceBatch
from datamodules.errors import UserError
from experiments.benchmarks.models import median_probe
from experiments.benchmarks.operations import (
    BatchCounts,
    classifier_operations,
    forward_operations,
    product_operations,
    translation_products,
)
from experiments.benchmarks.probe import Probe
from experiments.cli import main
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.attention import BahdanauAttention, GeneralAttention
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.recurrent import Cell
from lightning_modules.nmt import AttentionNMT

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.long


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_operations_are_those_that_torch_counts(cell: Cell, layers: int, bidirectional: bool) -> None:
    """The stepwise encoder makes each product by itself, so that the counter sees them; a batch of 1 has no padding."""
    encoder = partial(StepwiseEncoder, cell=cell, hidden_size=6, layers=layers, bidirectional=bidirectional)
    model = BiRNNClassifier(5, 2, encoder=encoder).eval()
    assert isinstance(model.encoder, RecurrentEncoder)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(Padded.from_vectors([torch.randn(9, 5).numpy()], 5))
    output = 2 * model.output.in_features * 2
    assert product_operations(model.encoder, 9) + output == counter.get_total_flops()
    assert classifier_operations(model, 9) > product_operations(model.encoder, 9) + output


def test_operations_by_hand() -> None:
    """A step of a GRU of one unit and input: 12 in the products, 12 for the gates, 5 for the state, 6 at the end."""
    model = BiRNNClassifier(1, 2, encoder=partial(RecurrentEncoder, cell="gru", hidden_size=1, bidirectional=False))
    assert classifier_operations(model, 1) == 12 + 12 + 5 + 6


def test_operations_of_layers_and_directions_by_hand() -> None:
    """Two layers, two directions, three steps, one unit and four gates; each gate takes 4 operations, the state 5."""
    encoder = partial(RecurrentEncoder, cell="lstm", hidden_size=1, layers=2, bidirectional=True)
    products = 3 * 2 * (2 * 4 * (1 + 1) + 2 * 4 * (2 + 1))
    assert classifier_operations(BiRNNClassifier(1, 2, encoder=encoder), 3) == products + 3 * 2 * 2 * (16 + 5) + 10


@pytest.mark.parametrize("bidirectional", [False, True])
def test_operations_of_a_translation_model_are_those_that_torch_counts(bidirectional: bool) -> None:
    """Without padding, and with an encoder that makes each product by itself."""
    model = AttentionNMT(
        11,
        13,
        encoder=partial(StepwiseEncoder, hidden_size=6, layers=2, bidirectional=bidirectional),
        decoder=partial(LuongDecoder, attention=partial(BahdanauAttention, attention_size=7), hidden_size=8),
        embedding_size=5,
    ).eval()
    source, target = Padded.from_sequences([[5, 6, 7, EOS]] * 3), Padded.from_sequences([[BOS, 5, 6, 7, 8, EOS]] * 3)
    batch = SequenceBatch(source, target, torch.arange(3))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.output(model(batch)[0])
    counts = BatchCounts(sentences=3, source_tokens=3 * 4, target_tokens=3 * 5, token_pairs=3 * 4 * 5)
    assert forward_operations(translation_products(model), counts) == counter.get_total_flops()


def test_there_is_no_formula_for_other_models() -> None:
    with pytest.raises(UserError, match="there is a formula for RecurrentEncoder"):
        translation_products(AttentionNMT(11, 13, decoder=partial(LuongDecoder, attention=GeneralAttention)))


def test_of_several_rounds_the_median_counts() -> None:
    rounds = [Probe(9, 8, 7.0, latency, 2 * latency, 50.0, 1.0, 1e3, "cpu", 1) for latency in (3.0, 1.0, 9.0)]
    middle = median_probe(rounds)
    assert (middle.latency_median, middle.latency_p95, middle.parameters) == (3.0, 6.0, 9)


def test_two_models_are_measured_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = yaml.safe_load((PROJECT / "configs/studies/models.yaml").read_text())
    study["configs"] = [str(PROJECT / config) for config in study["configs"]]
    study["presets"]["quick"]["options"] |= {"data.init_args.train_size": 640, "trainer.max_epochs": 1}
    study["variants"] = {name: study["variants"][name] for name in ("RNN", "bidirectional LSTM")}
    (tmp_path / "configs" / "studies").mkdir(parents=True)
    (tmp_path / "configs" / "studies" / "models.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setattr("experiments.benchmarks.models.ROUNDS", 1)
    assert main(["benchmark", "models", "--seeds", "1", "--jobs", "2"]) == 0
    directory = tmp_path / "studies" / "models" / "quick"
    assert (directory / "figures" / "benchmark.png").is_file()
    text = (directory / "benchmark.md").read_text()
    found = {
        cells[0]: cells[1:]
        for line in text.splitlines()
        if line.startswith("| ") and (cells := [cell.strip() for cell in line.strip("|").split("|")])
    }
    parameters = {name: int(cells[0].replace(",", "")) for name, cells in found.items() if name != "model"}
    assert parameters == {
        "RNN": 32 * (5 + 32 + 2) + 2 * 32 + 2,
        "bidirectional LSTM": 2 * 4 * 32 * (5 + 32 + 2) + 2 * 64 + 2,
    }
    for name in parameters:
        latency, slowest, memory, added, rate, accuracy = (float(cell.replace(",", "")) for cell in found[name][2:8])
        assert 0 < latency <= slowest
        assert 0 < added < 100 < memory
        assert rate > 0
        assert 0 < accuracy <= 1
    assert text.split("![")[0].splitlines()[-3] in capsys.readouterr().out

    # a report has what was measured, and measures it again only after another run
    exercise = {"title": "Costs", "study": "models", "costs": True}
    Path("costs.yaml").write_text(yaml.safe_dump({"title": "A lecture", "exercises": [exercise]}))
    measured = []
    monkeypatch.setattr("experiments.report.command.measured_costs", lambda *given: measured.append(given))
    assert main(["report", "costs.yaml", "--seeds", "1"]) == 0
    page = Path("report/costs.md").read_text()
    assert all(line in page for line in text.splitlines() if line.startswith("|"))
    picture = directory / "figures" / "benchmark.png"
    assert Path("report/costs/models/benchmark.png").read_bytes() == picture.read_bytes()
    assert "](costs/models/benchmark.png)" in page
    assert not measured
    os.utime(directory / "benchmark.md", (0, 0))
    assert main(["report", "costs.yaml", "--seeds", "1"]) == 0
    assert len(measured) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["modles"], "invalid choice: 'modles'"),
        (["models", "--threads", "0"], "'0' is no whole number above 0"),
        (["models", "--device", "gpu"], "--device is gpu: give cpu, cuda or cuda:1"),
        (["models", "--device", "cuda:99"], "--device is cuda:99, but torch can use"),
        (["train", "--device", "cuda:99"], "--device is cuda:99, but torch can use"),
        (["decode", "--device", "cuda:99"], "--device is cuda:99, but torch can use"),
        (["train", "--peer", "opennmt", "--precision", "bf16-mixed"], "the peers train in float32"),
        (["train", "--others", "101"], "argument --others: '101' is no number from 0 to 100"),
        (["models", "--preset", "quik"], "did you mean 'quick'"),
    ],
)
def test_what_is_mistyped(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["benchmark", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
