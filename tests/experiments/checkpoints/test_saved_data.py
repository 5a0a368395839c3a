"""A command that starts from a checkpoint reads its data with the checkpoint's tokenizers, whatever the data is."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.dates import DatesDataModule
from datamodules.errors import UserError
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from experiments.checkpoints.saved_data import SavedData
from experiments.cli import main
from tests.experiments.echo_task import EchoData
from tests.experiments.tiny_checkpoint import SOURCE_CHARACTERS, TARGET_CHARACTERS, tiny_checkpoint
from tests.experiments.tiny_task import write_tiny_task


def fit(*arguments: object) -> int:
    """``seqlab fit`` without loggers, which take most of the time of so small a training."""
    return main(["fit", *map(str, arguments), "--trainer.logger", "false"])


def tokenizers(run: Path) -> dict[str, Any]:
    """Those of the last checkpoint of a run."""
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["TranslationDataModule"]
    return {side: state[side] for side in ("source_tokenizer", "target_tokenizer")}


def content_of(folder: Path, split: Literal["train", "val"]) -> str:
    """The hash of a split's files as they are now."""
    text = TextFiles(str(folder / f"{split}.de"), str(folder / f"{split}.fr"))
    return TranslationDataModule(text, text, WhitespaceTokenizer()).content(split)


def test_any_parallel_text_is_read_with_the_tokenizers_of_any_other(tmp_path: Path) -> None:
    saved = SavedData.of(tiny_checkpoint(), "--init_from X")
    absent = TsvFile(str(tmp_path / "absent.tsv"))
    for data in (DatesDataModule(), TranslationDataModule(absent, absent, WhitespaceTokenizer())):
        saved.restore(data, fine_tunes=True)
        assert data.source_vocabulary_size == 4 + len(SOURCE_CHARACTERS)
        assert data.target_tokenizer.decode(data.target_tokenizer.encode(TARGET_CHARACTERS)) == TARGET_CHARACTERS


def test_a_checkpoint_of_other_data_is_refused_in_one_line() -> None:
    checkpoint = tiny_checkpoint()
    del checkpoint["TranslationDataModule"]
    checkpoint["datamodule_hyper_parameters"]["_class_path"] = "datamodules.synthetic.SyntheticDataModule"
    saved = SavedData.of(checkpoint, "--init_from X")
    saved.restore(EchoData(), fine_tunes=True)  # has no use for a checkpoint's tokenizers
    with pytest.raises(UserError, match=r"X was trained with .*SyntheticDataModule and has no tokenizers, which Dates"):
        saved.restore(DatesDataModule(), fine_tunes=True)


def test_damaged_tokenizers_name_the_checkpoint() -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["TranslationDataModule"]["target_tokenizer"]["state"]["trained"] = {}
    with pytest.raises(UserError, match="--ckpt_path X: damaged state of a CharacterTokenizer"):
        SavedData.of(checkpoint, "--ckpt_path X").restore(DatesDataModule(), fine_tunes=False)


@pytest.mark.parametrize("name", ["train.de", "val.fr"])
def test_a_training_does_not_go_on_with_changed_text(
    name: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=40)
    run = tmp_path / "runs" / "tiny" / "1"
    assert fit("--config", config, "--trainer.max_epochs", 1) == 0
    record = json.loads((run / "record.json").read_text())
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    text = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(text.replace(text.split()[0], b"sieben", 1))
    split = name.partition(".")[0]
    now = content_of(tmp_path, split)
    assert now != record["data"][split]

    capsys.readouterr()
    go_on = ["--config", config, "--ckpt_path", "last", "--trainer.max_epochs", 2]
    assert fit(*go_on) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert f"the {split} data is not that of --ckpt_path" in line
    assert now[:16] in line
    assert record["data"][split][:16] in line
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    (tmp_path / name).write_bytes(text)
    assert fit(*go_on) == 0, "the same content again, whatever the time of the file"


def test_a_training_does_not_go_on_with_another_tokenizer(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=40)
    assert fit("--config", config, "--trainer.max_epochs", 1) == 0
    capsys.readouterr()
    go_on = ["--config", config, "--ckpt_path", "last", "--trainer.max_epochs", 2]
    assert fit(*go_on, "--data.init_args.tokenizer.init_args.min_frequency", 3) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert "data.init_args.tokenizer is" in line
    assert "'min_frequency': 3" in line
    assert "'min_frequency': 1" in line


def test_a_fine_tuned_run_goes_on_without_its_origin(tmp_path: Path, seed: int) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    config = write_tiny_task(first, seed, train_size=40)
    assert fit("--config", config, "--trainer.max_epochs", 1) == 0
    origin = first / "runs" / "tiny" / "1" / "checkpoints" / "last.ckpt"
    before = tokenizers(origin.parent.parent)

    other = write_tiny_task(second, seed, train_size=40, words=["drei"])
    assert fit("--config", other, "--init_from", origin, "--trainer.max_epochs", 1) == 0
    run = second / "runs" / "tiny" / "1"
    assert tokenizers(run) == before, "although the new text has fewer words"

    origin.unlink()
    assert fit("--config", run / "config.yaml", "--ckpt_path", "last", "--trainer.max_epochs", 2) == 0
    assert tokenizers(run) == before
