"""``seqlab quantise``, ``translate --precision``: small checkpoints, products in few bits, nearly the same scores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from datamodules.errors import UserError
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.quantising import SCALES, quantise
from experiments.checkpoints.reading import read_checkpoint
from experiments.cli import main
from experiments.config.parts import make_part
from lightning_modules.kernels import packed_weights
from lightning_modules.kernels.packed_weights import Precision, is_available
from lightning_modules.nmt import AttentionNMT
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

LINES = ["abc", "hgf edc ü", "a", "bad cab"]


def wide_checkpoint(seed: int) -> dict[str, Any]:
    """A tiny checkpoint whose matrices are large enough to be packed."""
    checkpoint = tiny_checkpoint()
    arguments = checkpoint["hyper_parameters"]
    arguments["embedding_size"] = 512
    for part, size in (("encoder", 256), ("decoder", 512)):
        arguments[part]["init_args"]["hidden_size"] = size
    given = {key: value for key, value in arguments.items() if not key.startswith("_")}
    torch.manual_seed(seed)
    weights = make_part(AttentionNMT, given).state_dict()
    return {**checkpoint, "state_dict": dict(weights)}


def size(path: Path) -> int:
    return path.stat().st_size


@pytest.fixture
def wide(tmp_path: Path, seed: int) -> Path:
    return write(tmp_path / "wide.ckpt", wide_checkpoint(seed))


def test_a_quarter_of_the_size_and_nearly_the_same_weights(wide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = wide.with_name("small.ckpt")
    assert main(["quantise", str(wide), "--output", str(small)]) == 0
    assert "MiB" in capsys.readouterr().out
    assert size(small) < 0.27 * size(wide)
    before, after = (read_checkpoint(path)["state_dict"] for path in (wide, small))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert after[name].dtype == weight.dtype
        if weight.dim() == 1:
            assert torch.equal(after[name], weight)
        else:
            greatest = weight.abs().amax(dim=1, keepdim=True)
            assert ((after[name] - weight).abs() <= greatest / 127 / 2 * 1.0001).all()
            assert not torch.equal(after[name], weight)


@pytest.mark.parametrize("precision", ["bfloat16", "int8", "of the file"])
def test_hypotheses_have_nearly_the_scores_of_float32(wide: Path, precision: str) -> None:
    small = wide.with_name("small.ckpt")
    if precision == "of the file":
        assert main(["quantise", str(wide), "--output", str(small), "--overwrite"]) == 0
        assert load_translator(small, precision="float32").precision == "float32"
    asked = cast(Precision, "int8" if precision == "of the file" else precision)
    if not is_available(asked):
        pytest.skip(f"this processor makes no products in {asked}")
    exact = load_translator(wide)
    translator = load_translator(small) if precision == "of the file" else load_translator(wide, precision=asked)
    assert translator.precision == asked
    for one, other in zip(translator.translate(LINES), exact.translate(LINES), strict=True):
        assert one.score != other.score, "products are rounded"
        # The search's score is of few bits, those of the tokens are scored again in float32.
        error = abs(one.log_probability - np.log(one.probabilities).sum())
        assert error < 0.02 * len(one.tokens), "nats for each token"


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["state_dict"]["tied"] = checkpoint["state_dict"]["output.weight"]
    path = write(tmp_path / "tied.ckpt", quantise(checkpoint))
    weights = read_checkpoint(path)["state_dict"]
    assert weights["tied"].data_ptr() == weights["output.weight"].data_ptr()


def test_other_commands_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "small.ckpt", quantise(tiny_checkpoint()))
    text = tmp_path / "lines"
    text.write_text("\n".join(LINES) + "\n")
    for words in (
        ["translate", "--ckpt_path", str(path), "--input", str(text)],
        ["average", str(path), "--output", str(tmp_path / "average.ckpt")],
    ):
        assert main(words) == 0
        assert capsys.readouterr().out


def test_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = write(tmp_path / "small.ckpt", quantise(tiny_checkpoint()))
    for words, told in (
        (["quantise", str(small), "--output", str(tmp_path / "again.ckpt")], f"{small}: it is quantised already"),
        (["quantise", str(small), "--output", str(small)], "is there already"),
        (["quantise", str(small), "--output", str(tmp_path)], "is a directory"),
        (["translate", "--ckpt_path", str(small), "--precision", "int4"], "invalid choice: 'int4'"),
    ):
        assert main(words) == 2
        assert told in capsys.readouterr().err
    with pytest.raises(UserError, match="precision int8 is for the CPU, but the device is meta"):
        load_translator(small, device="meta", precision="int8")
    spoilt = quantise(tiny_checkpoint())
    spoilt[SCALES]["output.weight"] = torch.ones(3, 1)
    path = write(tmp_path / "spoilt.ckpt", spoilt)
    with pytest.raises(UserError, match=r"spoilt.ckpt: its int8 weight 'output.weight' and that weight's scales"):
        read_checkpoint(path)


def test_a_processor_without_vnni_multiplies_numbers_of_seven_bits(wide: Path) -> None:
    """In a process that is told so: nothing is warned of, and the scores are nearly those of float32.

    Of the same hypotheses: an untrained model's are nearly equally probable, and rounding may choose another one.
    """
    text, table = wide.with_name("lines"), wide.with_name("scores.tsv")
    text.write_text("\n".join(LINES) + "\n")
    words = ["translate", "--ckpt_path", str(wide), "--device", "cpu", "--input", str(text), "--scores", str(table)]
    found: dict[str, list[tuple[float, str]]] = {}
    for precision in ("int8", "float32"):
        told = subprocess.run(
            [sys.executable, "-m", "experiments.cli", *words, "--beam_size", "1", "--precision", precision],
            capture_output=True, text=True, check=True, env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        )  # fmt: skip
        assert "mistakes" not in told.stderr
        rows = [row.split("\t") for row in table.read_text().splitlines()]
        found[precision] = [(float(row[1]), row[4]) for row in rows]
    assert len(found["int8"]) == len(LINES)
    errors = [abs(score - other) for (score, ids), (other, same) in zip(*found.values(), strict=True) if ids == same]
    assert errors
    assert all(0 < error < 0.1 for error in errors), "products are rounded, and hardly"


@pytest.mark.parametrize(
    ("precision", "missing"), [("int8", ("greatest_of_inputs", 0)), ("bfloat16", ("has_packed_products", False))]
)
def test_a_processor_that_cannot_goes_on_in_float32(
    precision: str,
    missing: tuple[str, object],
    wide: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = wide.with_name("lines")
    text.write_text("\n".join(LINES) + "\n")
    words = ["translate", "--ckpt_path", str(wide), "--device", "cpu", "--input", str(text)]
    assert main(words) == 0
    expected = capsys.readouterr()
    monkeypatch.setattr(packed_weights, missing[0], lambda: missing[1])
    assert main([*words, "--precision", precision]) == 0
    found = capsys.readouterr()
    assert found.err.splitlines()[0] == (
        f"seqlab: warning: this processor does not make {precision} products without mistakes: translated in float32"
    )
    assert found.out == expected.out
