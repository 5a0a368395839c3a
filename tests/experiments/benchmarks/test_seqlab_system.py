"""seqlab among the systems that are measured: the same model and the same pieces as the others."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import pytest
import yaml

from datamodules.errors import RunFailed
from datamodules.tokenizers import SentencePieceTokenizer
from experiments.benchmarks import seqlab_system
from experiments.benchmarks.limit import step_limit
from experiments.benchmarks.operations import BatchCounts, forward_operations, translation_products
from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.process import Command, Finished
from experiments.benchmarks.peers.speed import search_seconds
from experiments.benchmarks.pieces import mean_batch, write_pieces
from experiments.benchmarks.seqlab_system import CONFIG, SEARCH, read_reports
from experiments.cli import main
from lightning_modules.layers.attention import BahdanauAttention
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.nmt import AttentionNMT

PROJECT = Path(__file__).parents[3]


def test_the_config_is_the_recipe_of_all_systems() -> None:
    config = yaml.safe_load((PROJECT / CONFIG).read_text())
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    encoder, decoder = model["encoder"]["init_args"], model["decoder"]["init_args"]
    assert model["embedding_size"] == recipe.EMBEDDING_SIZE
    assert encoder["hidden_size"] == recipe.DIRECTION_SIZE
    assert decoder["hidden_size"] == recipe.HIDDEN_SIZE
    assert {model["dropout"], encoder["dropout"], decoder["dropout"]} == {recipe.DROPOUT}
    assert model["label_smoothing"] == recipe.LABEL_SMOOTHING
    assert model["optimizer"]["init_args"]["lr"] == recipe.LEARNING_RATE
    assert config["trainer"]["gradient_clip_val"] == recipe.CLIP_NORM
    assert data["batch_size"] == recipe.BATCH_SIZE
    assert decoder["input_feeding"]


def test_speeds_are_read_from_the_metrics(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,time,train/loss,train/tokens_per_second\n19,100.0,5.1,\n19,100.5,,900.0\n39,120.5,,1000.0\n")
    reports = read_reports(path)
    assert [(each.step, each.time, each.target_tokens_per_second) for each in reports] == [
        (20, 100.5, 900.0),
        (40, 120.5, 1000.0),
    ]
    with pytest.raises(RunFailed, match="left no metrics"):
        read_reports(tmp_path / "none.csv")


def test_a_search_without_its_time_is_an_error() -> None:
    told = "WARNING: something\n1,000 lines in 6.125 seconds, 163.3 a second\n"
    assert search_seconds(Finished(10.0, 1.0, output="", log=told), SEARCH, "seqlab") == 6.125
    with pytest.raises(RunFailed, match="seqlab told no time"):
        search_seconds(Finished(10.0, 1.0, output="", log=""), SEARCH, "seqlab")


@pytest.mark.parametrize(("device", "accelerator"), [("cpu", "cpu"), ("cuda", "gpu")])
def test_the_device_and_the_precision_are_in_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, accelerator: str
) -> None:
    commands: list[list[str]] = []

    def noted(command: Command, _name: str) -> None:
        commands.append(list(command.words))
        raise RunFailed("noted")

    monkeypatch.setattr(seqlab_system, "run", noted)
    monkeypatch.setattr(seqlab_system, "find_file", lambda _name: tmp_path / "data" / "multi30k" / "train.en.gz")
    system = seqlab_system.Seqlab(tmp_path, tmp_path / "config.yaml", Hardware(1, device), "bf16-mixed")
    with pytest.raises(RunFailed, match="noted"):
        system.train(recipe.MIN_STEPS)
    system.checkpoint.parent.mkdir(parents=True)
    system.checkpoint.touch()
    (tmp_path / "source").write_text("a\n")
    with pytest.raises(RunFailed, match="noted"):
        system.translate(tmp_path / "source", beam_size=5, batch_size=8)
    training, translating = commands
    assert training[training.index("--trainer.accelerator") + 1] == accelerator
    assert training[training.index("--trainer.precision") + 1] == "bf16-mixed"
    assert translating[translating.index("--device") + 1] == device


def test_all_systems_get_the_pieces_of_one_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data" / "multi30k"
    folder.mkdir(parents=True)
    lines = {"en": ["a man sits", "two men sit", "a dog"], "de": ["ein Mann sitzt", "zwei Männer sitzen", "ein Hund"]}
    for name in ("train", "val", "test_2016_flickr"):
        for language, sentences in lines.items():
            with gzip.open(folder / f"{name}.{language}.gz", "wt", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in sentences)
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "data"))
    tokenizer = SentencePieceTokenizer(vocabulary_size=40, model_type="bpe")
    tokenizer.train([*lines["en"], *lines["de"]])
    corpus = write_pieces(tmp_path / "pieces", tokenizer)
    pieces = corpus.train_target.read_text(encoding="utf-8").splitlines()
    assert ["".join(line.split()).replace("\u2581", " ").strip() for line in pieces] == lines["de"]
    assert corpus.test_reference.read_text(encoding="utf-8").splitlines() == lines["de"]
    assert len(corpus.vocabulary) == 40
    counts = mean_batch(corpus, batch_size=6)
    lengths = [[len(tokenizer.encode(line)) + 1 for line in lines[language]] for language in ("en", "de")]
    assert (counts.sentences, counts.source_tokens, counts.target_tokens) == (
        6,
        2 * sum(lengths[0]),
        2 * sum(lengths[1]),
    )
    assert counts.token_pairs == 2 * sum(source * target for source, target in zip(*lengths, strict=True))


def test_the_limit_is_the_time_of_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every product at the same speed, the limit is the operations over that speed."""
    decoder = partial(LuongDecoder, attention=BahdanauAttention, hidden_size=8)
    model = AttentionNMT(11, 13, decoder=decoder, embedding_size=5)
    monkeypatch.setattr(
        "experiments.benchmarks.limit.product_seconds",
        lambda product, rows, *_: 3 * 2 * rows * product.inputs * product.outputs / 1e6,
    )
    counts = BatchCounts(sentences=2, source_tokens=9, target_tokens=11, token_pairs=50)
    limit = step_limit(model, counts)
    assert limit.operations == 3 * forward_operations(translation_products(model), counts)
    assert limit.seconds == pytest.approx(limit.operations / 1e6)
    assert limit.target_tokens_per_second == pytest.approx(11 / limit.seconds)


def test_away_from_the_project_only_the_corpus_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    assert main(["benchmark", "train", "--directory", str(tmp_path)]) == 2
    assert "no file multi30k/train.en.gz or data/multi30k/train.en.gz" in capsys.readouterr().err
