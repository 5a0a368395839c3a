"""Every config of the project runs: a few steps of training, validation, and a checkpoint that can be used."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import main
from experiments.config.class_paths import resolve
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

WITH_MODEL = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if "model" in yaml.safe_load(path.read_text())
)

CONFIGS = [path for path in WITH_MODEL if "trainer" in yaml.safe_load(path.read_text())]

MODELS = [path for path in WITH_MODEL if path not in CONFIGS]
"""Models alone, for a config of the folder above them."""

BESIDE = {"transduction": "g2p.yaml", "forecasting": "sample.yaml", "features": "inflection.yaml"}
"""The config of each folder, or of one model, that models are tried with."""


def beside(model: Path) -> Path:
    """The config that a model is tried with."""
    folder = model.parents[1]
    return folder / BESIDE.get(model.stem, BESIDE[folder.name])


def need_data(config: Path) -> None:
    """Skips the test where the files that a config names are not there."""
    folder = Path(os.environ.get("SEQLAB_DATA", "data"))
    missing = [
        name for name in re.findall(r"[\w./-]+\.(?:gz|json)\b", config.read_text()) if not (folder / name).is_file()
    ]
    if missing:
        pytest.skip(f"no {missing[0]} in {folder}")


def has_features(made: dict[str, Any]) -> bool:
    """Whether a run's lines have features beside the source."""
    data = made["data"]
    return data["class_path"].endswith("EsperantoDataModule") or data["init_args"].get("features") is not None


def marks() -> Iterator[list[pytest.MarkDecorator]]:
    """Those of each config: pictures are drawn, and W&B logs, in the first that has a callback of a kind."""
    seen: set[str] = set()
    for path in CONFIGS:
        kinds = {each["class_path"] for each in yaml.safe_load(path.read_text())["trainer"]["callbacks"]}
        yield [] if kinds <= seen else [pytest.mark.drawn, pytest.mark.wandb]
        seen |= kinds


@pytest.mark.parametrize(
    "configs",
    [
        *(pytest.param([path], marks=of_path) for path, of_path in zip(CONFIGS, marks(), strict=True)),
        *([beside(path), path] for path in MODELS),
    ],
    ids=lambda paths: paths[-1].stem,
)
def test_a_few_steps(configs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configs[0]
    need_data(config)
    in_tokens = yaml.safe_load(config.read_text())["data"]["init_args"].get("batch_unit") == "tokens"
    limits = {
        "trainer.max_epochs": 1,
        "trainer.check_val_every_n_epoch": 1,
        "trainer.limit_train_batches": 3,
        "trainer.limit_val_batches": 1,
        "trainer.accelerator": "cpu",
        "data.init_args.batch_size": 400 if in_tokens else 8,
        "data.init_args.eval_batch_size": 8,
    }
    overrides = [word for name, value in limits.items() for word in (f"--{name}", str(value))]
    root = ["--trainer.default_root_dir", str(tmp_path)]
    files = [word for path in configs for word in ("--config", str(path))]
    assert main(["fit", *files, *root, *overrides]) == 0
    (run,) = (tmp_path / yaml.safe_load(config.read_text())["experiment"]).iterdir()
    capsys.readouterr()
    assert {"best.ckpt", "last.ckpt"} <= {path.name for path in (run / "checkpoints").iterdir()}
    made = yaml.safe_load((run / "config.yaml").read_text())
    if issubclass(resolve(made["model"]["class_path"]), TokenEncoderDecoder):
        (tmp_path / "in.txt").write_text("a dog\tN;PL\n\n" if has_features(made) else "a dog\n\n")
        translation = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.txt"), "--max_length", "5"]
        assert main(["translate", "--ckpt_path", str(run), *translation]) == 0
        assert (tmp_path / "out.txt").read_text().count("\n") == 2
    elif issubclass(resolve(made["model"]["class_path"]), BiRNNTextClassifier):
        (tmp_path / "in.txt").write_text("a room\n\n")
        files = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.tsv")]
        assert main(["classify", "--ckpt_path", str(run), *files]) == 0
        assert [bool(line) for line in (tmp_path / "out.tsv").read_text().split("\n")] == [True, False, False]
    else:
        few = ["--trainer.limit_predict_batches", "2"]
        assert main(["predict", "--config", str(run / "config.yaml"), "--ckpt_path", str(run), *few]) == 0
        assert (run / "predictions.tsv").read_text().count("\n") > 1


def test_default_tokenizers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    dates = next(path for path in CONFIGS if path.stem == "dates")

    def shown(*overrides: str) -> dict[str, Any]:
        with pytest.raises(SystemExit):
            main(["fit", "--config", str(dates), *overrides, "--print_config"])
        return yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]

    assert shown()["tokenizer"]["init_args"]["vocabulary_size"] == 340
    assert shown()["target_tokenizer"]["init_args"]["vocabulary_size"] == 300
    assert shown("--data.init_args.target_tokenizer", "null")["target_tokenizer"] is None


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_last_is_written_whether_or_not_the_model_got_better(config: Path) -> None:
    """Every run with a BestCheckpoint writes it, unless its config asks for other checkpoints."""
    callbacks = yaml.safe_load(config.read_text())["trainer"]["callbacks"]
    checkpoints = [each["class_path"] for each in callbacks if "Checkpoint" in each["class_path"]]
    assert checkpoints in (["BestCheckpoint"], ["BestCheckpoint", "LastCheckpoints"])
