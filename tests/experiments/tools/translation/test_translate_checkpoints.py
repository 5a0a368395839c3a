"""``seqlab translate``: which checkpoints it takes, one or several, and where they run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer
from experiments.checkpoints.loading import choose_device, load_ensemble, load_translator
from lightning_modules.decoding.beam import BeamSearch
from tests.experiments.tiny_checkpoint import LENGTH_LIMIT, SOURCE_CHARACTERS, TARGET_CHARACTERS, tiny_checkpoint, write
from tests.experiments.tools.translation.running import SENTENCES, Told, alone, changed


class Classifier(L.LightningModule):
    """A model that does not translate."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()


def test_a_run_directory_means_its_best_checkpoint(best: Path, run: Callable[..., list[str]]) -> None:
    checkpoints = best.parent / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    write(checkpoints / "last.ckpt", tiny_checkpoint(seed=1))
    last = run(b"abc\nhgfedcba\n", "--ckpt_path", checkpoints.parent)
    write(checkpoints / "best.ckpt", tiny_checkpoint(seed=0))
    assert run(b"abc\nhgfedcba\n", "--ckpt_path", checkpoints.parent) == run(b"abc\nhgfedcba\n") != last


def test_devices_are_shared(run: Callable[..., list[str]]) -> None:
    assert run(b"abc\n", "--output", "/dev/null", "--scores", "/dev/null", "--attention", "/dev/null") == [""]


def test_an_ensemble_knows_what_its_least_trained_member_does(told: Told, tmp_path: Path, best: Path) -> None:
    paths = [
        changed(tmp_path / f"{longest}.ckpt", lambda made, n=longest: made["hyper_parameters"].update(longest_source=n))
        for longest in (8, 4)
    ]
    assert "longest source of the training had 4" in told(b"abcde\n", "--ckpt_path", best, *paths)[1][0]


def test_an_ensemble(run: Callable[..., list[str]], best: Path, tmp_path: Path) -> None:
    others = [
        write(tmp_path / "other.ckpt", tiny_checkpoint(seed=1, attention="BahdanauAttention")),
        write(tmp_path / "third.ckpt", tiny_checkpoint(seed=2, attention="NoAttention")),
    ]
    text, paths = "\n".join(SENTENCES).encode() + b"\n", ["--ckpt_path", best, *others]
    together = run(text, *paths, "--beam_size", "3")
    translator = load_ensemble([best, *others])
    assert together == [*(alone(translator, each, BeamSearch(3, max_length=LENGTH_LIMIT))[0] for each in SENTENCES), ""]
    assert all(together != run(text, "--ckpt_path", path, "--beam_size", "3") for path in (best, *others))
    run(b"abc\n", *paths, "--attention", tmp_path / "a.jsonl")
    assert len(json.loads((tmp_path / "a.jsonl").read_text())["attention"][0]) == len("abc") + 1


def test_an_ensemble_of_unlike_vocabularies(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    tokenizer = CharacterTokenizer()
    tokenizer.train([TARGET_CHARACTERS.replace("A", "X")])
    for side in ("source", "target"):
        path = changed(
            tmp_path / "unlike.ckpt",
            lambda made, side=side: made["TranslationDataModule"].update({f"{side}_tokenizer": tokenizer.describe()}),
        )
        assert f"{best} and {path} have unlike {side} vocabularies" in refusal("--ckpt_path", best, path)


def test_a_device_that_is_not_there(refusal: Callable[..., str]) -> None:
    assert "there is no device 'gpu'" in refusal("--device", "gpu")
    assert "there is no device 'cuda:99'" in refusal("--device", "cuda:99")
    assert choose_device("cpu").type == "cpu"


def test_checkpoints_that_cannot_be_read(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    assert "did you mean 'best.ckpt'?" in refusal(checkpoint=tmp_path / "bast.ckpt")
    half = tmp_path / "half.ckpt"
    half.write_bytes(best.read_bytes()[:5000])
    assert "truncated or damaged" in refusal(checkpoint=half)
    assert "without best.ckpt or last.ckpt" in refusal(checkpoint=tmp_path.parent)


def test_a_directory_of_runs_names_them(
    refusal: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for version, name, written in (("1", "last", 200), ("2", "best", 100), ("new run", "epoch=3", 300)):
        checkpoints = Path("runs") / "products" / version / "checkpoints"
        checkpoints.mkdir(parents=True)
        path = write(checkpoints / f"{name}.ckpt", tiny_checkpoint())
        os.utime(path, (written, written))
    runs = "'runs/products/new run', runs/products/1, runs/products/2"
    for directory in ("runs/products", "runs"):
        line = refusal(checkpoint=Path(directory))
        assert f"{directory} is a directory without best.ckpt or last.ckpt: give one of its runs, {runs}\n" in line
    assert f"no checkpoint runs/products/3; there are the runs {runs}\n" in refusal(checkpoint=Path("runs/products/3"))
    told = refusal(checkpoint=Path("runs/product/1"))
    assert "the directory runs/product does not exist, did you mean runs/products?" in told
    told = refusal(checkpoint=Path("runs/products/new run"))
    assert "give a file of 'runs/products/new run/checkpoints': epoch=3.ckpt" in told


def test_checkpoints_of_something_else(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"

    def told(change: Callable[[dict[str, Any]], object], *options: str) -> str:
        line = refusal(*options, checkpoint=changed(path, change))
        assert str(path) in line
        return line

    classifier = f"{__name__}.Classifier"
    assert f"add --trust {__name__.partition('.')[0]}" in told(
        lambda made: made["hyper_parameters"].update(_class_path=classifier)
    )
    assert f"is a checkpoint of {classifier}, which does not translate" in told(
        lambda made: made.update(hyper_parameters={"_class_path": classifier, "classes": 3}), "--trust", "tests"
    )
    assert "does not say which model" in told(lambda made: made.pop("hyper_parameters"))
    assert "has no tokenizers" in told(lambda made: made.pop("TranslationDataModule"))
    assert "damaged state" in told(
        lambda made: made["TranslationDataModule"]["target_tokenizer"]["state"].update(trained={})
    )
    assert "widht: unknown" in told(lambda made: made["hyper_parameters"].update(widht=3))
    assert "embedding_size: 'x' is no int" in told(lambda made: made["hyper_parameters"].update(embedding_size="x"))
    assert "encoder: cell: 'lsmt' is none of 'lstm', 'gru'" in told(
        lambda made: made["hyper_parameters"]["encoder"]["init_args"].update(cell="lsmt")
    )


def test_weights_that_do_not_fit(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = changed(tmp_path / "wide.ckpt", lambda made: made["hyper_parameters"].update(embedding_size=7))
    line = refusal(checkpoint=path)
    assert str(path) in line
    assert re.search(r"has shape \((.+)\) in the checkpoint and (?!\(\1\))\(.+\) in this model", line)
    path = changed(tmp_path / "less.ckpt", lambda made: made["state_dict"].pop("output.bias"))
    assert "output.bias" in refusal(checkpoint=path)


def test_a_joint_vocabulary(tmp_path: Path) -> None:
    path = changed(tmp_path / "joint.ckpt", lambda made: made["TranslationDataModule"].update(target_tokenizer=None))
    translator = load_translator(path)
    assert translator.target_tokenizer is translator.source_tokenizer
    assert translator.source_tokenizer.decode(translator.encode(SOURCE_CHARACTERS)) == SOURCE_CHARACTERS


def test_a_translator_is_ready_to_use(best: Path) -> None:
    translator = load_translator(best)
    (model,) = translator.members
    assert not model.training
    torch.testing.assert_close(dict(model.state_dict()), tiny_checkpoint()["state_dict"], rtol=0, atol=0)
    with pytest.raises(UserError, match="there is no device"):
        load_translator(best, device="nowhere")
