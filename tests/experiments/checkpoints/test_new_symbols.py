"""Fine-tuning on text that has what the checkpoint's vocabulary lacks: it is told, or given ids."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.batch import UNK
from experiments.checkpoints.initial_weights import load_initial_weights
from experiments.checkpoints.loading import load_translator
from experiments.cli import main
from experiments.config.class_paths import resolve
from experiments.config.parts import make_part
from tests.experiments.tiny_task import write_tiny_task

NEW_WORDS = {"sieben": "sept", "acht": "huit"}
SIZES = [
    "--model.init_args.encoder.init_args.hidden_size", "5", "--model.init_args.decoder.init_args.hidden_size", "6",
    "--model.init_args.embedding_size", "4", "--trainer.max_epochs", "1", "--trainer.logger", "false",
]  # fmt: skip
UNCHANGED = ["--model.init_args.optimizer.init_args.lr", "0.0"]
CHARACTERS = ["--data.init_args.tokenizer", "CharacterTokenizer"]
JOINT = [*CHARACTERS, "--data.init_args.joint_vocabulary", "true", "--model.init_args.tied", "all"]

Fit = Callable[..., list[str]]


@pytest.fixture
def fit(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Fit]:
    """Runs ``seqlab fit``, and gives the lines that tell of vocabularies, or the one error."""
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)

    def call(*options: object, status: int = 0) -> list[str]:
        capsys.readouterr()
        caplog.clear()
        assert main(["fit", *SIZES, *map(str, options)]) == status
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seqlab: error")]
        return errors or list(dict.fromkeys(message for message in caplog.messages if message.startswith("--")))

    yield call
    logger.removeHandler(caplog.handler)


def write(folder: Path, seed: int, new_words: dict[str, str] | None = None) -> Path:
    folder.mkdir()
    return write_tiny_task(folder, seed, train_size=60, new_words=new_words)


def last(folder: Path) -> Path:
    return folder / "runs" / "tiny" / "1" / "checkpoints" / "last.ckpt"


def loaded(path: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    return checkpoint


def fresh_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Those of a new model of the same sizes."""
    arguments = {name: value for name, value in checkpoint["hyper_parameters"].items() if not name.startswith("_")}
    torch.manual_seed(1)
    model = make_part(resolve(checkpoint["hyper_parameters"]["_class_path"]), arguments)
    return dict(model.state_dict())


def first_line(path: Path, word: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), start=1) if word in line.split())


@pytest.mark.parametrize("tied", ["none", "target"])
def test_new_words_are_told_and_given_ids(tied: str, fit: Fit, tmp_path: Path, seed: int) -> None:
    first = write(tmp_path / "first", seed)
    second = write(tmp_path / "second", seed + 1, NEW_WORDS)
    options = ["--model.init_args.tied", tied]
    fit("--config", first, *options)
    origin = last(first.parent)
    begin = ["--config", second, "--init_from", origin, *options, *UNCHANGED]

    used, *lacking = fit(*begin)
    assert used == f"--init_from {origin}: its tokenizers are used (10 source ids, 10 target ids)"
    for side, line in zip(("de", "fr"), lacking, strict=True):
        text = second.parent / f"train.{side}"
        assert line.startswith(f"--init_from {origin}: its vocabulary lacks 2 symbols of {text}: ")
        for word in NEW_WORDS if side == "de" else NEW_WORDS.values():
            count = text.read_text().split().count(word)
            assert f"{word!r} (line {first_line(text, word)}, {count} in all)" in line

    _, sizes, *added = fit(*begin, "--extend_vocabulary", "--version", "extended")
    assert sizes == "--extend_vocabulary: 10 to 12 source ids, 10 to 12 target ids"
    assert [re.sub(r".* lacks ", "", line) for line in lacking] == [re.sub(r".* ids for ", "", line) for line in added]

    extended = second.parent / "runs" / "tiny" / "extended" / "checkpoints" / "last.ckpt"
    before, after = loaded(origin), loaded(extended)
    fresh = fresh_weights(after)
    for name, old in before["state_dict"].items():
        new = after["state_dict"][name]
        assert torch.equal(new[: len(old)], old), name
        assert torch.equal(new[len(old) :], fresh[name][len(old) :]), name
    grown = {name for name, old in before["state_dict"].items() if len(after["state_dict"][name]) == len(old) + 2}
    assert grown == {"source_embedding.weight", "target_embedding.weight", "output.weight", "output.bias"}
    assert fresh["target_embedding.weight"][10:].abs().min() > 0

    translator = load_translator(extended)
    assert UNK not in translator.source_tokenizer.encode("sieben eins acht")
    assert UNK not in translator.target_tokenizer.encode("sept huit")
    assert translator.source_tokenizer.pieces(range(10)) == load_translator(origin).source_tokenizer.pieces(range(10))
    assert translator.translate(["sieben acht"])[0].tokens

    run = extended.parent.parent
    assert main(["validate", "--config", str(run / "config.yaml"), "--ckpt_path", str(run)]) == 0
    again = [*begin, "--extend_vocabulary", "--version", "extended", "--trainer.max_epochs", 2]
    assert fit(*again) == [f"--ckpt_path {extended}: its tokenizers are used (12 source ids, 12 target ids)"]


def test_the_rest_of_a_joint_vocabulary_learns_new_words(fit: Fit, tmp_path: Path, seed: int) -> None:
    """Characters of the source and words of the target, one matrix for all of them."""
    first = write(tmp_path / "first", seed)
    second = write(tmp_path / "second", seed, {"größe": "9", "9": "9"})
    fit("--config", first, *JOINT)
    before = loaded(last(first.parent))
    fit("--config", second, *JOINT, "--init_from", last(first.parent), "--extend_vocabulary", *UNCHANGED)
    after = loaded(last(second.parent))
    translator = load_translator(last(second.parent))
    source, target = translator.source_tokenizer, translator.target_tokenizer
    assert source.encode("9") == target.encode("9") != [UNK]
    assert UNK not in source.encode("größe")
    assert "größe" not in target.pieces(range(target.vocabulary_size))
    old = before["state_dict"]["target_embedding.weight"]
    new = after["state_dict"]["target_embedding.weight"]
    assert len(new) == len(old) + 4, "g ö ß 9"
    for name in ("source_embedding.weight", "target_embedding.weight", "output.weight"):
        assert torch.equal(after["state_dict"][name], new)
    assert torch.equal(new[: len(old)], old)


def test_what_cannot_be_extended(fit: Fit, tmp_path: Path, seed: int) -> None:
    config = write(tmp_path / "tiny", seed)
    assert fit("--config", config, "--extend_vocabulary", status=2) == [
        "seqlab: error: --extend_vocabulary extends that of a checkpoint: add --init_from, or leave it out"
    ]
    pieces = [
        "--data.init_args.tokenizer",
        "{class_path: SentencePieceTokenizer, init_args: {vocabulary_size: 26}}",
        "--data.init_args.target_tokenizer",
        "null",
    ]
    fit("--config", config, *pieces)
    begin = ["--config", config, *pieces, "--init_from", last(config.parent)]
    (error,) = fit(*begin, "--extend_vocabulary", status=2)
    assert "--extend_vocabulary adds symbols, but a SentencePieceTokenizer has the pieces alone" in error


@pytest.mark.parametrize(
    ("options", "asked", "brought"),
    [
        (CHARACTERS, "tokenizer is datamodules.tokenizers.CharacterTokenizer", "WhitespaceTokenizer {min_frequency: 1"),
        (["--data.init_args.target_tokenizer.init_args.min_frequency", "2"], "target_tokenizer is", "min_frequency: 1"),
        (["--data.init_args.joint_vocabulary", "true"], "joint_vocabulary is true", "a vocabulary for each side"),
    ],
)
def test_tokenizers_that_would_be_ignored_are_refused(
    options: list[str], asked: str, brought: str, fit: Fit, tmp_path: Path, seed: int
) -> None:
    config = write(tmp_path / "tiny", seed)
    fit("--config", config)
    origin = last(config.parent)
    (error,) = fit("--config", config, "--init_from", origin, *options, status=2)
    assert f"data.init_args.{asked}" in error
    assert f"--init_from {origin} brings " in error
    assert brought in error
    assert not (config.parent / "runs" / "tiny" / "2").exists()


def test_only_rows_of_ids_may_be_missing(fit: Fit, tmp_path: Path, seed: int) -> None:
    """A model of another shape is refused as ever."""
    config = write(tmp_path / "tiny", seed)
    fit("--config", config)
    checkpoint = loaded(last(config.parent))
    checkpoint["hyper_parameters"] |= {"source_vocabulary_size": 13}
    checkpoint["hyper_parameters"]["encoder"]["init_args"]["hidden_size"] = 7
    arguments = {name: value for name, value in checkpoint["hyper_parameters"].items() if not name.startswith("_")}
    model = make_part(resolve(checkpoint["hyper_parameters"]["_class_path"]), arguments)
    with pytest.raises(Exception, match=r"shape .* in the checkpoint and .* in this model"):
        load_initial_weights(model, last(config.parent), (), extends=True)
