"""``seqlab show``: pictures from the command line, and the numbers behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.batch import SequenceBatch
from experiments.checkpoints.loading import load_translator
from experiments.cli import main
from experiments.figures.masks import masks_figure
from experiments.figures.temperature import entropy_of
from experiments.tools.attention_view import attention_view
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.decoding.greedy import GreedySearch
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

pytestmark = pytest.mark.drawn


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return write(tmp_path / "best.ckpt", tiny_checkpoint())


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    hyperparameters = {
        "_class_path": "lightning_modules.birnn.BiRNNClassifier",
        "source_feature_size": 3,
        "class_count": 2,
    }
    model = BiRNNClassifier(3, 2)
    content = {"hyper_parameters": hyperparameters, "state_dict": model.state_dict(), "epoch": 0, "global_step": 1}
    content["pytorch-lightning_version"] = "2.6.6"
    return write(tmp_path / "classifier.ckpt", content)


def shown(path: Path) -> np.ndarray:
    """The pixels of a picture that has something in it."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.std() > 5
    return pixels


DARK = np.array([8, 48, 107])
"""The darkest of the colours of weights."""


def share_of(colour: np.ndarray, pixels: np.ndarray) -> float:
    """How many of the pixels have about that colour, 0 to 1."""
    return float((np.abs(pixels.astype(int) - colour) < 40).all(axis=-1).mean())


@pytest.mark.parametrize("options", [[], ["--sentence", "one", "--sentence", "two $x_1$ 三"]])
def test_masks(options: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "masks.png"
    assert main(["show", "masks", "--output", str(picture), *options]) == 0
    shown(picture)


def test_the_masks_drawn_are_padding_and_causality_combined() -> None:
    padding = np.array([[True, True, False], [True, True, True]])
    figure = masks_figure([["a", "b", "<pad>"], ["c", "d", "e"]], padding)
    images = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert len(images) == 4
    assert np.array_equal(images[0], padding)
    assert np.array_equal(images[1], [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert np.array_equal(images[2], [[1, 0, 0], [1, 1, 0], [1, 1, 0]])
    assert np.array_equal(images[3], [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


def test_schedules_with_their_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "schedules", "--epochs", "8", "--output", str(tmp_path / "schedules.png")]) == 0
    shown(tmp_path / "schedules.png")
    rows = {line[:15].strip(): line[15:].split() for line in capsys.readouterr().out.splitlines()[:-1]}
    assert rows["epoch"] == ["0", "2", "4", "6", "8"]
    assert rows["linear"] == ["1.000", "0.750", "0.500", "0.250", "0.000"]
    assert rows["cosine"] == ["1.000", "0.854", "0.500", "0.146", "0.000"]
    assert float(rows["exponential"][-1]) == pytest.approx(0.05, abs=1e-3)


def test_states_of_a_classifier(classifier: Path, tmp_path: Path) -> None:
    picture = tmp_path / "states.png"
    for length in ("1", "25"):
        assert (
            main(["show", "states", "--ckpt_path", str(classifier), "--length", length, "--output", str(picture)]) == 0
        )
        shown(picture)


def test_alignment_and_temperature_of_a_translation(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for what in ("alignment", "temperature"):
        picture = tmp_path / f"{what}.png"
        options = ["--ckpt_path", str(best), "--sentence", "abc", "--output", str(picture)]
        assert main(["show", what, *options]) == 0
        shown(picture)
    told = capsys.readouterr().out
    assert told.count("entropy") == 5


def test_an_attention_that_is_nearly_uniform_is_no_pale_sheet(tmp_path: Path) -> None:
    content = tiny_checkpoint()
    attention = content["hyper_parameters"]["decoder"]["init_args"]["attention"]
    attention["init_args"] = {"temperature": 20.0}
    path = write(tmp_path / "warm.ckpt", content)
    for what in ("alignment", "temperature"):
        picture = tmp_path / f"{what}.png"
        assert main(["show", what, "--ckpt_path", str(path), "--sentence", "abcdef", "--output", str(picture)]) == 0
        pixels = shown(picture)[:, :-220] if what == "alignment" else shown(picture)  # without the colour bar
        if what == "temperature":
            pixels = pixels[int(0.27 * len(pixels)) : int(0.5 * len(pixels))]  # the weights, without the bars
        assert share_of(DARK, pixels) > 0.002, what


def test_states_that_are_small_are_no_pale_sheet(classifier: Path, tmp_path: Path) -> None:
    content = torch.load(classifier, weights_only=True)
    for name, value in content["state_dict"].items():
        if name.startswith("encoder"):
            value.mul_(0.05)
    picture = tmp_path / "states.png"
    path = write(tmp_path / "small.ckpt", content)
    assert main(["show", "states", "--ckpt_path", str(path), "--output", str(picture)]) == 0
    pixels = shown(picture)[:, :-220].astype(int)
    assert (np.ptp(pixels, axis=-1) > 60).mean() > 0.05


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("attention", ["GeneralAttention", "BahdanauAttention"])
def test_what_is_seen_of_an_attention_is_what_the_model_does(
    attention: str, temperature: float, tmp_path: Path
) -> None:
    translator = load_translator(write(tmp_path / "best.ckpt", tiny_checkpoint(attention=attention)))
    model, source = translator.members[0], translator.encode("abch")
    for each in model.decoder.attentions:
        each.temperature = temperature
    ((best,),) = translator.search_batch([source], GreedySearch(max_length=5))
    with torch.no_grad():
        _, weights = model(SequenceBatch.from_pairs([source[:-1]], [best.ids], torch.zeros(1)))
    for position in range(len(best.ids) + 1):
        view = attention_view(model, source, best.ids, position, [0.01, 1.0, 100.0])
        np.testing.assert_allclose(view.weights[1], weights[0, :, position].mean(dim=0), atol=1e-6)
        np.testing.assert_allclose(view.weights.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(view.contributions.sum(), 1.0, atol=1e-4)
        assert (np.diff(view.entropies) > 0).all(), "warmer is more even"
        assert view.entropies[-1] == pytest.approx(np.log(len(source)), abs=1e-2)


def test_entropy() -> None:
    np.testing.assert_allclose(entropy_of(np.array([[1.0, 0.0], [0.5, 0.5]])), [0.0, np.log(2)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["maskz"], "invalid choice: 'maskz'"),
        (["alignment", "--sentence", "a"], "needs a trained model: give --ckpt_path"),
        (["alignment", "--ckpt_path", "BEST"], 'needs a source sentence: give --sentence "..."'),
        (["temperature", "--ckpt_path", "BEST", "--sentence", "a", "--temperature", "0"], "give numbers above 0"),
        (
            ["temperature", "--ckpt_path", "BEST", "--sentence", "a", "--target_position", "99"],
            "--target_position is 99",
        ),
        (["states", "--ckpt_path", "BEST"], "which is no classifier"),
        (["schedules", "--epochs", "0"], "--epochs is 0"),
        (["masks", "--output", "nowhere/x.png"], "the directory nowhere does not exist, make it first"),
        (["masks", "--sentence", "caf\udce9"], "--sentence, line 1: byte 4 (0xe9) is not UTF-8; convert the text"),
        (["alignment", "--ckpt_path", "BEST", "--sentence", "\udce9"], "--sentence, line 1: byte 1 (0xe9)"),
        (["masks", "--output", "x.txt"], "--output x.txt: no picture ends in .txt; known: "),
        (["alignment", "--ckpt_path", "BEST", "--sentence", "a", "--output", "BEST"], "is also --ckpt_path"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(
    words: list[str],
    message: str,
    best: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", *(str(best) if word == "BEST" else word for word in words)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_model_without_attention_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "none.ckpt", tiny_checkpoint(attention="NoAttention"))
    for what in ("alignment", "temperature"):
        words = ["show", what, "--ckpt_path", str(path), "--sentence", "abc", "--output", str(tmp_path / "x.png")]
        assert main(words) == 2
        assert "has no attention" in capsys.readouterr().err
