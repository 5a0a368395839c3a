"""Names that no training pair had, copied whole from the source, through the real command line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

import seqlab
from datamodules.errors import UserError
from experiments.checkpoints.loading import load_ensemble, load_translator
from experiments.cli import main
from tests.experiments.export.program import written_by_the_program
from tests.experiments.metrics_table import values
from tests.experiments.tiny_task import EXACT_MATCH, write_changed_config

CHANGES = {
    "model.init_args.encoder.init_args.hidden_size": 24,
    "model.init_args.decoder.init_args": {"cell": "gru", "hidden_size": 24, "dropout": 0.0},
    "model.init_args.head": "lightning_modules.layers.copying.CopyVocabularyHead",
    "model.init_args.embedding_size": 16,
    "model.init_args.optimizer.init_args.lr": 0.02,
    "trainer.max_epochs": 4,
    "trainer.check_val_every_n_epoch": 2,
    "trainer.logger": "experiments.loggers.MetricsCSV",
    "trainer.callbacks": [
        *EXACT_MATCH,
        {"class_path": "experiments.callbacks.PredictionWriter"},
        {"class_path": "experiments.callbacks.TranslationTable"},
    ],
}

WORDS = {"one": "eins", "two": "zwei", "three": "drei", "calls": "ruft", "sees": "sieht"}


def pairs(count: int, draw: random.Random) -> list[tuple[str, str]]:
    """``NAME calls NAME two``, with a fresh name in each place; a name of the target is one of the source."""
    made = []
    for _ in range(count):
        one, other = ("".join(draw.choices("abcdefghijklm", k=7)).title() for _ in range(2))
        verb, number = draw.choice(["calls", "sees"]), draw.choice(["one", "two", "three"])
        made.append((f"{one} {verb} {other} {number}", f"{WORDS[number]} {other} {WORDS[verb]} {one}"))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose vocabulary has words, and none of the names."""
    place = tmp_path_factory.mktemp("names")
    draw = random.Random(7)
    for split, count in (("train", 320), ("val", 40), ("test", 40)):
        (place / f"{split}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs(count, draw)))
    data = {
        **{split: {"tsv": f"{place}/{split}.tsv"} for split in ("train", "val", "test")},
        "tokenizer": {"class_path": "datamodules.tokenizers.WhitespaceTokenizer", "init_args": {"min_frequency": 5}},
        "copy_unknown": True,
        "batch_size": 32,
        "cache_directory": f"{place}/cache",
    }
    config = write_changed_config(place, "names", CHANGES | {"data.init_args": data})
    assert main(["fit", "--config", str(config)]) == 0
    return place


@pytest.fixture(scope="module")
def best(folder: Path) -> Path:
    """The checkpoint alone."""
    moved = folder.with_name(f"{folder.name}_alone") / "best.ckpt"
    moved.parent.mkdir()
    moved.write_bytes((folder / "runs" / "names" / "1" / "checkpoints" / "best.ckpt").read_bytes())
    return moved


def lines(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text().splitlines()]


def error(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    capfd.readouterr()
    assert main([*map(str, arguments)]) == 2
    (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("seqlab: error: "))
    return line


def test_names_of_no_training_pair_are_validated_tested_and_predicted(folder: Path) -> None:
    run = folder / "runs" / "names" / "1"
    assert max(values(run, "val/exact_match")) > 0.8
    assert "<unk>" not in (run / "translations.md").read_text().replace("\\", "")
    config = str(folder / "names.yaml")
    assert main(["test", "--config", config]) == 0
    assert values(run, "test/exact_match")[-1] > 0.8
    assert values(run, "test/accuracy")[-1] > 0.9  # under teacher forcing too, where gold ids are extended ones
    assert main(["predict", "--config", config]) == 0
    written = [row[1] for row in lines(run / "predictions.tsv")[1:]]
    wanted = [target for _, target in lines(folder / "test.tsv")]
    assert sum(map(str.__eq__, written, wanted)) > 32


def test_a_checkpoint_alone_writes_names_that_score_as_they_were_found(
    folder: Path, best: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Greedy, beam and sampling, in batches whose sources have unlike numbers of names."""
    source, scores, ids = tmp_path / "in", tmp_path / "scores.tsv", tmp_path / "ids"
    sentences = ["Ann calls Bea two", "one", "", "Zoe sees Zoe three", "Cem calls Dan one"]
    source.write_text("".join(f"{sentence}\n" for sentence in sentences))
    common = ["translate", "--ckpt_path", best, "--input", source, "--scores", scores, "--overwrite"]
    for options in (["--n_best", "3"], ["--beam_size", "1"], ["--samples", "2", "--top_k", "3"], ["--groups", "2"]):
        output = tmp_path / "out"
        assert main([*map(str, common), "--output", str(output), *options]) == 0
        found = output.read_text().splitlines()
        if options[0] == "--beam_size":
            assert (found[0], *found[2:]) == ("zwei Bea ruft Ann", "", "drei Zoe sieht Zoe", "eins Dan ruft Cem")
        assert "<unk>" not in output.read_text()
        rows = [row for row in lines(scores) if row[4]]
        tokens, pairs = tmp_path / "again", [(sentences[int(row[0]) - 1], row[4]) for row in rows]
        tokens.write_text("".join(f"{sentence}\n" for sentence, _ in pairs))
        ids.write_text("".join(f"{given}\n" for _, given in pairs))
        capfd.readouterr()
        assert main(["score", "--ckpt_path", str(best), "--source", str(tokens), "--target", str(ids), "--ids"]) == 0
        again = [float(row.split("\t")[0]) for row in capfd.readouterr().out.splitlines()]
        assert again == pytest.approx([float(row[2]) for row in rows], abs=1e-4)


def test_names_are_forced_asked_for_and_scored(best: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def translated(sentence: str, **beside: str) -> list[str]:
        (tmp_path / "in").write_text(f"{sentence}\n")
        files = {option: tmp_path / option for option in beside}
        for option, file in files.items():
            file.write_text(f"{beside[option]}\n")
        options = [word for option, file in files.items() for word in (f"--{option}", str(file))]
        capfd.readouterr()
        assert main(["translate", "--ckpt_path", str(best), "--input", str(tmp_path / "in"), *options]) == 0
        return capfd.readouterr().out.splitlines()

    assert translated("Ann calls Bea two", prefix="drei Ann")[0].startswith("drei Ann ")
    assert "Bea Bea" in translated("Ann calls Bea two", terms="Bea Bea")[0]
    (tmp_path / "terms").write_text("Cem\n")
    assert "line 1: the model's vocabulary cannot spell the term 'Cem'" in error(
        capfd, "translate", "--ckpt_path", best, "--input", tmp_path / "in", "--terms", tmp_path / "terms"
    )
    (tmp_path / "ids").write_text("4 999\n")
    size = load_translator(best).target_tokenizer.vocabulary_size
    assert f"'999' is no id: with --ids, give numbers below {size + 2} " in error(
        capfd, "score", "--ckpt_path", best, "--source", tmp_path / "in", "--target", tmp_path / "ids", "--ids"
    )
    (tmp_path / "pairs.tsv").write_text("Ann calls Bea two\tzwei Bea ruft Ann\nAnn calls Bea two\tzwei Cem ruft Ann\n")
    capfd.readouterr()
    assert main(["score", "--ckpt_path", str(best), "--tsv", str(tmp_path / "pairs.tsv")]) == 0
    told = capfd.readouterr()
    right, wrong = (float(row.split("\t")[0]) for row in told.out.splitlines())
    assert right > wrong + 1
    assert "1 of them unknown to the vocabulary" in told.err


def test_python_gets_the_names_too(folder: Path, best: Path) -> None:
    """Alone and as an ensemble, with tokens and source tokens as they are written."""
    translator = seqlab.load(best)
    (found,) = translator.translate(["Ann calls Bea two"])
    assert found.text == "zwei Bea ruft Ann"
    assert found.tokens == ("zwei", "Bea", "ruft", "Ann", "</s>")
    assert found.source_tokens == ("Ann", "calls", "Bea", "two", "</s>")
    assert found.probabilities.min() > 0.3
    last = best.with_name("last.ckpt")
    last.write_bytes((folder / "runs" / "names" / "1" / "checkpoints" / "last.ckpt").read_bytes())
    both = seqlab.load([best, last]).translate(["Ann calls Bea two", "Cem sees Dan three"])
    assert [each.text for each in both] == ["zwei Bea ruft Ann", "drei Dan sieht Cem"]


def test_a_program_without_seqlab_writes_the_names(best: Path, tmp_path: Path) -> None:
    graphs = tmp_path / "graphs"
    assert main(["export", "--ckpt_path", str(best), "--format", "onnx", "--output", str(graphs)]) == 0
    assert written_by_the_program(graphs, "Ann calls Bea two") == "zwei Bea ruft Ann"
    assert written_by_the_program(graphs, "Zoe sees Zoe three") == "drei Zoe sieht Zoe"


def test_training_goes_on_under_scheduled_sampling(folder: Path) -> None:
    """A copied name that is fed back is the unknown token to the embedding."""
    sampled = "{class_path: ScheduledSampling, init_args: {schedule: {class_path: Constant, init_args: {value: 0.25}}}}"
    options = ["--model.init_args.forcing", sampled, "--experiment", "sampled", "--trainer.max_epochs", "2"]
    options += ["--init_from", str(folder / "runs" / "names" / "1")]
    assert main(["fit", "--config", str(folder / "names.yaml"), *options]) == 0
    assert max(values(folder / "runs" / "sampled" / "1", "val/exact_match")) > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.init_args.head", "VocabularyHead"], "copy_unknown is true, but VocabularyHead copies nothing: add"),
        (["--data.init_args.tokenizer", "SentencePieceTokenizer"], "but a SentencePieceTokenizer has the pieces alone"),
        (["--data.init_args.target_tokenizer", "CharacterTokenizer"], "have a vocabulary each: leave target_tokenizer"),
        (["--data.init_args.features", "{separator: ;}"], "copy_unknown is true, but a source with features has ids"),
        (
            ["--ckpt_path", "last", "--data.init_args.copy_unknown", "false", "--trainer.max_epochs", "9"],
            "data.init_args.copy_unknown is False, but --ckpt_path",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(
    folder: Path, options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in error(capfd, "fit", "--config", folder / "names.yaml", *options)


def test_models_that_copy_unlike_symbols_are_no_ensemble(best: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["TranslationDataModule"]["copy_unknown"] = False
    torch.save(checkpoint, tmp_path / "off.ckpt")
    with pytest.raises(UserError, match=r"one copies what the vocabulary lacks, the other does not: an ensemble needs"):
        load_ensemble([best, tmp_path / "off.ckpt"])
    (off,) = load_translator(tmp_path / "off.ckpt").translate(["Ann calls Bea two"])
    assert "Ann" not in off.text
