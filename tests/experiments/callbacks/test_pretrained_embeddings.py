"""Embeddings begin as the vectors of a file, in a training that begins, and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from datamodules.batch import SPECIAL_PIECES
from datamodules.tokenizers import restore_tokenizer
from experiments.cli import main
from tests.experiments.test_bad_input import told
from tests.experiments.tiny_task import WORDS, write_tiny_task

SIZE = 24
PLAIN = "plain"
"""The training without vectors."""
SOURCE_WORDS, TARGET_WORDS = ["eins", "zwei", "fünf"], ["un", "trois", "six", "sept"]


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    return write_tiny_task(tmp_path, seed, train_size=64)


def write_vectors(path: Path, words: list[str], width: int = SIZE) -> dict[str, Tensor]:
    vectors = {word: torch.randn(width) for word in [*words, "</s>"]}
    rows = [" ".join([word, *(f"{value:.9e}" for value in vector.tolist())]) for word, vector in vectors.items()]
    path.write_text("\n".join([f"{len(rows)} {width}", *rows, ""]))
    return vectors


def fit(config: Path, name: str, **files: Path) -> list[str]:
    """The words of a training that changes no weight."""
    arguments = {side: str(path) for side, path in files.items()}
    parts = [{"class_path": "PretrainedEmbeddings", "init_args": arguments}, "LastCheckpoints"]
    callbacks = config.parent / f"{name}.yaml"
    callbacks.write_text(yaml.safe_dump({"trainer": {"callbacks": parts if name != PLAIN else parts[1:]}}))
    return [
        "fit", "--config", str(config), "--config", str(callbacks), "--trainer.max_epochs=1", "--trainer.logger=false",
        "--experiment", name, "--model.init_args.optimizer.init_args.lr=0", "--trainer.limit_val_batches=0",
    ]  # fmt: skip


def last(config: Path, name: str) -> Path:
    return config.parent / "runs" / name / "1" / "checkpoints" / "last.ckpt"


def embeddings(path: Path, side: str) -> dict[str, Tensor]:
    """What each symbol of a checkpoint is embedded as, dropout apart."""
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    data = checkpoint["TranslationDataModule"]
    tokenizer = restore_tokenizer(data[f"{side}_tokenizer"] or data["source_tokenizer"])
    weight = checkpoint["state_dict"][f"{side}_embedding.weight"]
    return dict(zip(tokenizer.pieces(range(len(weight))), weight * SIZE**0.5, strict=True))


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return all(torch.allclose(found[symbol], vector) for symbol, vector in wanted.items())


def test_symbols_of_the_files_are_copied_and_the_others_begin_as_ever(
    config: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = config.parent / "de.vec", config.parent / "fr.vec"
    vectors = {"source": write_vectors(source, SOURCE_WORDS), "target": write_vectors(target, TARGET_WORDS)}
    assert main(fit(config, PLAIN)) == 0
    with caplog.at_level("INFO"):
        assert main(fit(config, "given", source=source, target=target)) == 0
    assert f"{source}: vectors of 3 of 6 source symbols (50.0%)" in caplog.text
    assert f"{target}: vectors of 3 of 6 target symbols (50.0%)" in caplog.text
    for side, words in (("source", WORDS.keys()), ("target", WORDS.values())):
        plain, given = (embeddings(last(config, name), side) for name in (PLAIN, "given"))
        copied = {word: vectors[side][word] for word in words if word in vectors[side]}
        assert same(given, copied)
        others = given.keys() - copied.keys()
        assert {*SPECIAL_PIECES} < others
        assert all(torch.equal(given[symbol], plain[symbol]) for symbol in others)

    before = embeddings(last(config, "given"), "source")
    source.unlink()
    target.unlink()
    assert main(["translate", "--ckpt_path", str(last(config, "given")), "--input", str(config.parent / "val.de")]) == 0
    resumed = fit(config, "given", source=source, target=target)
    assert main([*resumed, "--trainer.max_epochs=2", "--ckpt_path=last"]) == 0
    tuned = fit(config, "tuned", source=source, target=target)
    with caplog.at_level("INFO"):
        assert main([*tuned, "--init_from", str(last(config, "given"))]) == 0
    assert "--init_from: its embeddings are kept" in caplog.text
    for name in ("given", "tuned"):
        after = embeddings(last(config, name), "source")
        assert all(torch.equal(after[symbol], vector) for symbol, vector in before.items())
    assert "no file" in told(capsys, *fit(config, "again", source=source))


@pytest.mark.parametrize("tied", ["embeddings", "all"])
def test_one_matrix_has_one_file(tied: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    joint_vocabulary = ["--data.init_args.target_tokenizer=null", f"--model.init_args.tied={tied}"]
    joint, other = config.parent / "joint.vec", config.parent / "other.vec"
    vectors = write_vectors(joint, [*SOURCE_WORDS, *TARGET_WORDS[:3]])
    del vectors["</s>"]
    assert "give one" in told(capsys, *fit(config, "two", source=joint, target=other), *joint_vocabulary)
    assert main([*fit(config, "one", source=joint), *joint_vocabulary]) == 0
    weights = torch.load(last(config, "one"), weights_only=True)["state_dict"]
    assert same(embeddings(last(config, "one"), "target"), vectors)
    places = {weights[name].data_ptr() for name in ("source_embedding.weight", "target_embedding.weight")}
    assert (places == {weights["output.weight"].data_ptr()}) == (tied == "all")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"source": 25}, "de.vec has vectors of width 25, but model.init_args.embedding_size is 24: give a file of"),
        ({}, "PretrainedEmbeddings has no file: give source, target or both"),
    ],
)
def test_what_does_not_fit_is_told(
    files: dict[str, int], message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config.parent / "de.vec"
    for width in files.values():
        write_vectors(path, SOURCE_WORDS, width)
    assert message in told(capsys, *fit(config, "told", **dict.fromkeys(files, path)))
