"""Spelling to sounds by hard attention: trained, translated and scored by its checkpoint alone, and refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_task import write_changed_config

CHANGES = {
    "seed_everything": 1,
    "model.class_path": "lightning_modules.monotonic_transducer.MonotonicTransducer",
    "model.init_args.encoder.init_args.hidden_size": 24,
    "model.init_args.decoder": {
        "class_path": "lightning_modules.layers.decoder.FixedContextDecoder",
        "init_args": {"cell": "gru", "hidden_size": 48},
    },
    "model.init_args.optimizer.init_args.lr": 0.02,
    "trainer.max_epochs": 3,
    "trainer.check_val_every_n_epoch": 3,
    "trainer.logger": False,
    "trainer.callbacks": [],
}

SOUNDS = {"a": ["A"], "b": ["B"], "c": ["C"], "d": ["D", "Z"], "h": [], "x": ["K", "S"]}


def sounds(word: str) -> str:
    return " ".join(sound for letter in word for sound in SOUNDS[letter])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, and words that it has not seen."""
    place = tmp_path_factory.mktemp("sounds")
    shuffled = random.Random(1)
    words = list(
        dict.fromkeys("".join(shuffled.choices(list(SOUNDS), k=length)) + "a" for _ in range(400) for length in (2, 3))
    )
    shuffled.shuffle(words)
    for name, part in (("val", words[:20]), ("train", words[20:] * 4)):
        (place / f"{name}.tsv").write_text("".join(f"{word}\t{sounds(word)}\n" for word in part))
    data = {
        **{split: {"tsv": f"{place}/{split}.tsv"} for split in ("train", "val")},
        "tokenizer": "datamodules.tokenizers.CharacterTokenizer",
        "target_tokenizer": "datamodules.tokenizers.WhitespaceTokenizer",
        "batch_size": 32,
        "cache_directory": f"{place}/cache",
    }
    config = write_changed_config(place, "sounds", CHANGES | {"data.init_args": data})
    assert main(["fit", "--config", str(config)]) == 0
    (checkpoint,) = (place / "runs" / "sounds" / "1" / "checkpoints").glob("*.ckpt")
    (place / "alone.ckpt").write_bytes(checkpoint.read_bytes())
    return place


def test_a_checkpoint_alone_says_the_sounds_and_where_it_looked(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The searches' log-probabilities are those of the commands that score what they found."""
    words = [line.split("\t")[0] for line in (folder / "val.tsv").read_text().splitlines()]
    read, said = tmp_path / "words.txt", tmp_path / "said.txt"
    read.write_text("".join(f"{word}\n" for word in words))
    checkpoint, looked, found = (
        ["--ckpt_path", str(folder / "alone.ckpt")],
        tmp_path / "looked.jsonl",
        tmp_path / "f.tsv",
    )
    files = {"--input": read, "--output": said, "--scores": found, "--attention": looked}
    assert main(["translate", *checkpoint, *(str(each) for pair in files.items() for each in pair)]) == 0
    right = sum(one == sounds(word) for one, word in zip(said.read_text().splitlines(), words, strict=True))
    assert right >= 5, "of 20, after some seconds"
    for word, line in zip(words, looked.read_text().splitlines(), strict=True):
        for row in json.loads(line)["attention"]:
            assert len(row) == len(word) + 1
            assert sum(row) == pytest.approx(1.0, abs=1e-3)
    capfd.readouterr()
    assert main(["score", *checkpoint, "--source", str(read), "--target", str(said)]) == 0
    scored = [float(line.split("\t")[0]) for line in capfd.readouterr().out.splitlines()]
    searched = [float(line.split("\t")[2]) for line in found.read_text().splitlines()]
    assert scored == pytest.approx(searched, abs=2e-3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("forcing.class_path", "ScheduledSampling", "unknown option '--forcing.class_path"),
        ("label_smoothing", "0.1", "unknown option 'label_smoothing'"),
        ("order", "2", "order is '2', but has to be one of 0, 1"),
        (
            "attention",
            "CoverageAttention",
            "takes one score of each position from its attention, and CoverageAttention",
        ),
        ("decoder", "LuongDecoder", "LuongDecoder attends to the source, which MonotonicTransducer does itself"),
    ],
)
def test_what_it_cannot_serve_is_one_line(
    folder: Path, key: str, value: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["fit", "--config", str(folder / "sounds.yaml"), f"--model.init_args.{key}", value]) == 2
    (line,) = (each for each in capfd.readouterr().err.splitlines() if each.startswith("seqlab: error: "))
    assert message in line


def test_what_measures_another_history_is_refused_too(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    measured = "[{class_path: experiments.callbacks.ExposureBias}]"
    assert main(["fit", "--config", str(folder / "sounds.yaml"), "--trainer.callbacks", measured]) == 2
    (line,) = (each for each in capfd.readouterr().err.splitlines() if each.startswith("seqlab: error: "))
    assert "MonotonicTransducer runs on gold history alone" in line
