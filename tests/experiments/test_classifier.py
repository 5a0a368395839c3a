"""A classifier on the command line: fit, test and predict, resumed and mistyped."""

import csv
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import torch
import yaml

from datamodules.errors import UserError
from datamodules.synthetic import SyntheticDataModule
from experiments.callbacks import LabelWriter
from experiments.cli import main
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer

TASK = {
    "num_features": 2, "min_length": 1, "max_length": 6, "train_size": 2000, "val_size": 100, "test_size": 300,
    "batch_size": 50, "corpus_seed": 5,
}  # fmt: skip


@dataclass
class Trained:
    """A run that ended: its config, its directory, and what it printed."""

    config: Path
    run: Path
    output: str


def write_config(folder: Path) -> Path:
    """A config of a small classifier."""
    checkpoints = [
        {
            "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
            "init_args": {"filename": name, "monitor": monitor, "mode": "max", "enable_version_counter": False},
        }
        for name, monitor in (("best", "val/accuracy"), ("last", "epoch"))
    ]
    config = {
        "experiment": "signs",
        "model": {
            "class_path": "lightning_modules.birnn.BiRNNClassifier",
            "init_args": {
                "encoder": {
                    "class_path": "lightning_modules.layers.encoder.RecurrentEncoder",
                    "init_args": {"cell": "gru", "hidden_size": 16, "dropout": 0.1},
                },
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}},
            },
        },
        "data": {"class_path": "datamodules.synthetic.SyntheticDataModule", "init_args": TASK},
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 3,
            "log_every_n_steps": 5,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(folder / "runs"),
            "logger": "experiments.loggers.MetricsCSV",
            "callbacks": [{"class_path": "experiments.callbacks.LabelWriter"}, *checkpoints],
        },
    }
    path = folder / "signs.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def metrics(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One training for all tests of this module."""
    folder = tmp_path_factory.mktemp("signs")
    config = write_config(folder)
    with redirect_stdout(StringIO()) as output:
        assert main(["fit", "--config", str(config)]) == 0
    return Trained(config, folder / "runs" / "signs" / "1", output.getvalue())


def test_the_whole_way(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that a run leaves; then test and predict agree with each other and with the data."""
    best = trained.run / "checkpoints" / "best.ckpt"
    assert f"seqlab predict --config {trained.run / 'config.yaml'} --ckpt_path {best}" in trained.output
    assert "translate" not in trained.output
    assert (trained.run / "figures" / "curves.png").is_file()
    data = SyntheticDataModule(**TASK)
    assert yaml.safe_load((trained.run / "record.json").read_text())["data"] == data.fingerprints()
    assert len(metrics(trained.run, "val/accuracy")) == 3
    assert metrics(trained.run, "val/loss")[-1] < 0.6
    assert all(speed > 0 for speed in metrics(trained.run, "train/tokens_per_second"))

    saved = str(trained.run / "config.yaml")
    assert main(["test", "--config", saved, "--ckpt_path", str(best)]) == 0
    assert main(["validate", "--config", saved, "--ckpt_path", str(best)]) == 0
    assert main(["predict", "--config", saved, "--ckpt_path", str(best)]) == 0
    assert str(trained.run / "predictions.tsv") in capsys.readouterr().out
    header, *lines = (trained.run / "predictions.tsv").read_text().splitlines()
    assert header.split("\t") == ["index", "label", "prediction", "probability"]
    rows = [line.split("\t") for line in lines]
    assert [int(row[0]) for row in rows] == list(range(300))
    assert [int(row[1]) for row in rows] == data.sequences("test").labels.tolist()
    assert all(0.5 <= float(row[3]) <= 1 for row in rows)
    right = sum(row[1] == row[2] for row in rows) / 300
    assert right == pytest.approx(metrics(trained.run, "test/accuracy")[-1])
    assert right > 0.7
    assert metrics(trained.run, "val/accuracy")[-1] == max(metrics(trained.run, "val/accuracy"))


def test_training_goes_on_exactly(trained: Trained, tmp_path: Path) -> None:
    """Three epochs at once, and two continued by a third: the same weights to the bit."""
    fit = ["fit", "--config", str(trained.config), "--trainer.default_root_dir", str(tmp_path / "parts")]
    assert main([*fit, "--trainer.max_epochs", "2"]) == 0
    assert main([*fit, "--ckpt_path", "last"]) == 0
    one, other = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (trained.run, tmp_path / "parts" / "signs" / "1")
    )
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_the_encoder_from_scratch_takes_the_place_of_the_fused_one(trained: Trained) -> None:
    """A checkpoint of one is tested with the other."""
    test = ["test", "--config", str(trained.config), "--model.init_args.encoder"]
    for encoder in ("StepwiseEncoder", "RecurrentEncoder"):
        assert main([*test, f"lightning_modules.layers.encoder.{encoder}"]) == 0
    scores = metrics(trained.run, "test/loss")[-2:]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.init_args.max_length", 0], "data.init_args.max_length is 0, below min_length, 1"),
        (["--data.init_args.num_features", 0], "data.init_args.num_features is 0: give at least 1"),
        (["--data.init_args.feature", 3], "unknown option 'feature'"),
        (["--model.init_args.pooling", "MedianPooling"], "there is no class 'MedianPooling': did you mean"),
        (
            ["--model.init_args.encoder.init_args.cell", "gruu"],
            "has to be one of lstm, gru, rnn, layer_norm_lstm: did you mean 'gru'",
        ),
        (
            ["--data", "datamodules.dates.DatesDataModule"],
            "BiRNNClassifier needs source_feature_size of its data, but DatesDataModule has no property of that name "
            "(it offers source_vocabulary_size, target_vocabulary_size)",
        ),
        (["--trainer.callbacks", "experiments.callbacks.TextMetrics"], "need a data module of sentence pairs"),
    ],
)
def test_what_is_mistyped(
    arguments: list[object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(write_config(tmp_path)), *map(str, arguments)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
    assert message in line


def test_a_checkpoint_of_other_features_is_told(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--config", str(trained.config), "--data.init_args.num_features", "3"]) == 2
    assert "has shape (48, 2) in the checkpoint and (48, 3) in this model" in capsys.readouterr().err
    assert main(["translate", "--ckpt_path", str(trained.run)]) == 2
    assert "which does not translate" in capsys.readouterr().err


def test_labels_and_text_have_their_own_writers(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict = ["predict", "--config", str(trained.config), "--trainer.callbacks"]
    assert main([*predict, "experiments.callbacks.PredictionWriter"]) == 2
    assert "need a data module of sentence pairs" in capsys.readouterr().err
    trainer = make_trainer(tmp_path, callbacks=[LabelWriter()])
    with pytest.raises(UserError, match="LabelWriter needs sequences with labels"):
        trainer.predict(EchoModel(), datamodule=EchoData(), return_predictions=False)
