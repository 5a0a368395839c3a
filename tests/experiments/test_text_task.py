"""A classifier of texts on the command line: fit, test, predict, classify and show; what is wrong is told."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from datamodules.requests import RequestsDataModule
from experiments.cli import main
from experiments.storage.predictions_table import read_predictions
from tests.experiments.explorer.exported_page import answer
from tests.experiments.metrics_table import values

SIZES = {"train": 900, "val": 80, "test": 120}


@dataclass
class Trained:
    """A run that ended: its folder with config and texts, its directory, and what it printed."""

    folder: Path
    run: Path
    output: str

    @property
    def config(self) -> list[str]:
        """The options that name the config, and the checkpoint."""
        return ["--config", str(self.folder / "text.yaml"), "--ckpt_path", str(self.run)]


def write_task(folder: Path) -> list[str]:
    """Writes requests as TSV, with an empty text in line 2 of the test, and a config that trains on them."""
    data = RequestsDataModule(*SIZES.values(), cache_directory=str(folder / "made"))
    for split in data.splits:
        lines = [f"{number}\t{text}\t{label}\n" for number, (text, label) in enumerate(data.pairs(split))]
        if split == "test":
            lines.insert(1, "1\t\thotel\n")
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    tables = {name: {"tsv": str(folder / f"{name}.tsv"), "columns": {"source": 1, "target": 2}} for name in SIZES}
    tokenizer = {"class_path": "WhitespaceTokenizer", "init_args": {"min_frequency": 10}}
    config = {
        "experiment": "wanted",
        "model": {
            "class_path": "BiRNNTextClassifier",
            "init_args": {
                "encoder": {"class_path": "RecurrentEncoder", "init_args": {"cell": "gru", "hidden_size": 24}},
                "pooling": "AttentionPooling",
                "embedding_size": 24,
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
            },
        },
        "data": {
            "class_path": "TextClassificationDataModule",
            "init_args": {**tables, "tokenizer": tokenizer, "batch_size": 32},
        },
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 3,
            "log_every_n_steps": 10,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(folder / "runs"),
            "logger": "experiments.loggers.MetricsCSV",
            "callbacks": [
                "ClassScores",
                "WorstErrors",
                {"class_path": "WordAttention", "init_args": {"sentences": 1}},
                "LabelWriter",
                {"class_path": "BestCheckpoint", "init_args": {"monitor": "val/macro_f1", "mode": "max"}},
            ],
        },
    }
    (folder / "text.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return ["--config", str(folder / "text.yaml")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One training for all tests of this module."""
    folder = tmp_path_factory.mktemp("texts")
    config = write_task(folder)
    with redirect_stdout(io.StringIO()) as output:
        assert main(["fit", *config]) == 0
    return Trained(folder, folder / "runs" / "wanted" / "1", output.getvalue())


def texts_of(split: str, trained: Trained) -> list[list[str]]:
    return [line.split("\t") for line in (trained.folder / f"{split}.tsv").read_text(encoding="utf-8").splitlines()]


def test_it_learns_what_order_tells_and_leaves_pictures(trained: Trained) -> None:
    assert max(values(trained.run, "val/macro_f1")) > 0.9
    assert f"seqlab classify --ckpt_path {trained.run / 'checkpoints' / 'best.ckpt'}" in trained.output
    names = {path.name.rpartition("-step")[0] for path in (trained.run / "figures").iterdir()}
    assert {"val-confusion", "val-attention_1"} <= names
    assert (trained.run / "val-errors.tsv").is_file()


def test_the_explorer_shows_what_classify_says(trained: Trained, tmp_path: Path) -> None:
    text, page, labels = tmp_path / "text.txt", tmp_path / "page.html", tmp_path / "labels.tsv"
    text.write_text(f"{texts_of('test', trained)[0][1]}\n", encoding="utf-8")
    told = ["--ckpt_path", str(trained.run), "--input", str(text), "--device", "cpu"]
    assert main(["explore", *told, "--export", str(page)]) == 0
    assert main(["classify", *told, "--output", str(labels)]) == 0
    look = answer(page, "/api/label")
    label, probability = labels.read_text(encoding="utf-8").rstrip("\n").split("\t")
    assert look["probabilities"][look["labels"].index(label)] == pytest.approx(float(probability), abs=2e-6)
    assert sum(look["weights"]) == pytest.approx(1, abs=1e-5)
    assert len(answer(page, "/api/states")["series"]) == 2


def test_test_predict_and_classify_agree(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["test", *trained.config]) == 0
    assert main(["predict", *trained.config]) == 0
    rows = read_predictions(trained.run, ["source", "hypothesis", "reference", "probability", "line"])
    lines = texts_of("test", trained)
    assert [int(row["line"]) for row in rows] == [1, *range(3, SIZES["test"] + 2)]
    for row in rows:
        assert lines[int(row["line"]) - 1][1:] == [row["source"], row["reference"]]
    right = sum(row["hypothesis"] == row["reference"] for row in rows) / len(rows)
    assert right == pytest.approx(values(trained.run, "test/accuracy")[-1])
    wrong = [row["line"] for row in rows if row["hypothesis"] != row["reference"]]
    listed = (trained.run / "test-errors.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert sorted(wrong) == sorted(line.split("\t")[0] for line in listed)

    (tmp_path / "texts.txt").write_text("".join(f"{cells[1]}\n" for cells in lines), encoding="utf-8")
    labels = tmp_path / "labels.tsv"
    classify = ["classify", "--ckpt_path", str(trained.run), "--batch_size", "7"]
    assert main([*classify, "--input", str(tmp_path / "texts.txt"), "--output", str(labels), "--top", "2"]) == 0
    told = [line.split("\t") for line in labels.read_text(encoding="utf-8").split("\n")]
    assert told[1] == told[-1] == [""], "an empty line stays an empty line"
    for row in rows:
        label, probability, second, less = told[int(row["line"]) - 1]
        assert label == row["hypothesis"]
        assert float(probability) == pytest.approx(float(row["probability"]), abs=2e-5)
        assert second != label
        assert float(less) <= float(probability)

    capfdbinary.readouterr()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{lines[0][1]}\n\xff\n".encode("latin-1"))))
    assert main([*classify, "--ckpt_path", str(trained.run), str(trained.run)]) == 0
    out, err = capfdbinary.readouterr()
    assert out.decode().split("\n")[0].split("\t")[0] == rows[0]["hypothesis"], "two of one are that one"
    assert out.decode().split("\n")[1:] == ["", ""]
    assert b"standard input, line 2: byte 1 (0xff) is not UTF-8" in err


def test_predictions_of_another_split_go_to_another_file(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = trained.run / "predictions.tsv"
    own.write_text("as it was")
    file = tmp_path / "val.tsv"
    assert main(["predict", *trained.config, "--split", "val", "--output", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    assert own.read_text() == "as it was"
    rows = read_predictions(file, ["source", "line"])
    assert [row["source"] for row in rows] == [cells[1] for cells in texts_of("val", trained)]
    right = sum(row["hypothesis"] == row["reference"] for row in rows) / len(rows)
    assert right == pytest.approx(max(values(trained.run, "val/accuracy")), abs=1e-6)

    assert main(["show", "predictions", str(file), "--top", "5"]) == 0
    header, *listed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["error", "line", "source", "hypothesis", "reference"]
    errors = [float(line[0]) for line in listed]
    assert len(errors) == 5
    assert errors == sorted(errors, reverse=True)
    assert all((line[3] == line[4]) == (error == 0) for line, error in zip(listed, errors, strict=True))


def test_a_checkpoint_needs_no_data(trained: Trained, tmp_path: Path) -> None:
    """It holds labels and words as plain values, beside the weights; another order of labels would be another model."""
    content = torch.load(trained.run / "checkpoints" / "best.ckpt", weights_only=True)
    content["TextClassificationDataModule"]["target_tokenizer"]["state"]["trained"] = {"shared_symbols": '["a", "b"]'}
    torch.save(content, tmp_path / "fewer.ckpt")
    assert main(["classify", "--ckpt_path", str(tmp_path / "fewer.ckpt")]) == 2


def test_a_text_longer_than_those_of_the_training_is_told(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = max((cells[1] for cells in texts_of("train", trained)), key=lambda text: len(text.split()))
    (tmp_path / "texts.txt").write_text(f"{longest}\n{longest} please\n", encoding="utf-8")
    classify = ["classify", "--ckpt_path", str(trained.run), "--input", str(tmp_path / "texts.txt")]
    assert main(classify) == 0
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "the longest source" in line]
    count = len(longest.split())
    assert f"line 2 has {count + 1} tokens, but the longest source of the training had {count}" in told
    assert main([*classify, "--strict"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--model", "AttentionNMT"], "AttentionNMT writes targets, but those of TextClassificationDataModule"),
        (["fit", "--data.init_args.train.columns.target", "7"], "the target is column 7, counted from 0"),
        (["fit", "--data.init_args.tokenizer", "LabelTokenizer"], "reads a whole text as one token"),
        (["fit", "--trainer.callbacks", "TextMetrics"], "need a data module of sentence pairs"),
        (["fit", "--model.init_args.pooling", "MeanPooling"], "MeanPooling weighs no positions"),
        (["predict", "--output", "FOLDER/test.tsv"], "FOLDER/test.tsv is also data.init_args.test"),
        (["predict", "--output", "FOLDER/none/p.tsv"], "FOLDER/none does not exist"),
        (["predict", "--output", "p.tsv", "--trainer.callbacks", "ClassScores"], "--output has nobody to write it"),
        (["predict", "--split", "tset"], "has to be one of train, val, test: did you mean 'test'"),
        (["classify", "--ckpt_path", "RUN", "--top", "0"], "is no whole number above 0"),
        (["classify", "--ckpt_path", "RUN", "--input", "gone.txt"], "--input gone.txt does not exist"),
        (["translate", "--ckpt_path", "RUN"], "which does not translate"),
        (["show", "predictions"], "needs a run or a file"),
        (["show", "masks", "RUN"], "seqlab show masks takes no file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], message: str, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"FOLDER": str(trained.folder), "RUN": str(trained.run)}
    command, *rest = (word.replace("RUN", places["RUN"]).replace("FOLDER", places["FOLDER"]) for word in arguments)
    config = trained.config if command == "predict" else trained.config[:2] if command == "fit" else []
    root = ["--trainer.default_root_dir", str(tmp_path)] if command == "fit" else []
    assert main([command, *config, *rest, *root]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
    assert message.replace("FOLDER", places["FOLDER"]) in line


def test_errors_of_text_are_edits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of text the edit distance over the longer length; what is right comes last."""
    rows = ["abcd\tabcd\t-1\tabcd\t1", "x\tabc\t-1\tabd\t2", "y\t\t-1\tab\t9"]
    (tmp_path / "predictions.tsv").write_text("\n".join(["source\thypothesis\tscore\treference\tline", *rows]) + "\n")
    assert main(["show", "predictions", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split("\t")[:2] for line in lines] == [["1.000", "9"], ["0.333", "2"], ["0.000", "1"]]


def test_a_new_label_is_told_or_given_a_class(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = (trained.folder / "train.tsv").read_text(encoding="utf-8").splitlines()[:40]
    (tmp_path / "train.tsv").write_text("\n".join([*texts, "40\tdo hum a tune\tmusic"]) + "\n", encoding="utf-8")
    origin = trained.run / "checkpoints" / "best.ckpt"
    begin = [
        "fit", "--config", str(trained.folder / "text.yaml"), "--init_from", str(origin),
        "--data.init_args.train.tsv", str(tmp_path / "train.tsv"), "--model.init_args.optimizer.init_args.lr", "0.0",
        "--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path / "runs"),
    ]  # fmt: skip
    assert main(begin) == 2
    assert capsys.readouterr().err.endswith(", or leave the text out\n")
    assert main([*begin, "--extend_vocabulary"]) == 0
    before = torch.load(origin, weights_only=True)["state_dict"]
    (after,) = (tmp_path / "runs").glob("wanted/*/checkpoints/last.ckpt")
    extended = torch.load(after, weights_only=True)
    grown = {name for name, old in before.items() if extended["state_dict"][name].shape != old.shape}
    assert {name.rpartition(".")[2] for name in grown} == {"weight", "bias"}
    for name in before:
        assert torch.equal(extended["state_dict"][name][: len(before[name])], before[name]), name
    assert extended["hyper_parameters"]["class_count"] == 1 + len({line.split("\t")[2] for line in texts})
