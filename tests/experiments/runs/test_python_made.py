"""A model that was made in Python, not by a config: its checkpoint is one like those of ``seqlab fit``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import ConstantLR, LRScheduler

from datamodules.corpora.corpus import TextFiles, TsvFile
from datamodules.curriculum import Competence, Curriculum
from datamodules.errors import UserError
from datamodules.hyperparameters import described_value
from datamodules.reversal import SequenceTask
from datamodules.tokenizers import CharacterTokenizer, Tokenizer, WhitespaceTokenizer
from datamodules.translation import TranslationDataModule
from experiments.checkpoints.loading import load_translator
from experiments.cli import main
from experiments.config.class_paths import resolve
from experiments.config.known_classes import subclasses
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.search import Search
from lightning_modules.forcing import Forcing, ForcingSchedule, InverseSigmoid, Linear, ScheduledSampling
from lightning_modules.layers.attention import GeneralAttention, MultiHeadAttention
from lightning_modules.layers.decoder import BahdanauDecoder, LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.nmt import AttentionNMT
from lightning_modules.schedules import WarmupSchedule
from tests.datamodules.quiet_trainer import quiet_trainer
from tests.experiments.tiny_task import write_tiny_task


def constant(optimizer: torch.optim.Optimizer) -> LRScheduler:
    """A learning-rate schedule as a function of a module."""
    return ConstantLR(optimizer)


def tiny_data(folder: Path) -> TranslationDataModule:
    train, val = (TextFiles(str(folder / f"{split}.de"), str(folder / f"{split}.fr")) for split in ("train", "val"))
    tokenizer, target = WhitespaceTokenizer(), WhitespaceTokenizer(min_frequency=2)
    test = TsvFile(str(folder / "test.tsv"))
    return TranslationDataModule(train, val, tokenizer, test, target, batch_size=32, curriculum=Competence(2.0))


def fitted(folder: Path, **parts: Any) -> Path:  # noqa: ANN401 - whatever a model is made of
    """Trains a model of some parts, as a script would, and gives its checkpoint."""
    data = tiny_data(folder)
    model = AttentionNMT(data.source_vocabulary_size, data.target_vocabulary_size, embedding_size=8, **parts)
    checkpoints = ModelCheckpoint(dirpath=folder / "made", filename="made", enable_version_counter=False)
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=2,
        callbacks=[checkpoints],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(model, data)
    sources = data.val_dataloader().__iter__().__next__().source
    expected = [found[0].ids for found in model.translate(sources, model.test_search)]
    translator = load_translator(folder / "made" / "made.ckpt", ("tests",), "cpu")
    made = translator.members[0]
    assert [found[0].ids for found in made.translate(sources, made.test_search)] == expected
    return folder / "made" / "made.ckpt"


@pytest.fixture
def folder(tmp_path: Path, seed: int) -> Path:
    write_tiny_task(tmp_path, seed, train_size=60)
    return tmp_path


def test_one_made_of_partials_translates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attention = partial(MultiHeadAttention, heads=2)
    path = fitted(
        folder,
        encoder=partial(RecurrentEncoder, cell="gru", hidden_size=6),
        decoder=partial(LuongDecoder, cell="gru", hidden_size=8, attention=attention),
        optimizer=partial(torch.optim.Adam, lr=0.01, betas=(0.9, 0.99)),
        scheduler=partial(WarmupSchedule, warmup_steps=3),
        forcing=ScheduledSampling(Linear(3.0), feedback="sample"),
        test_search=BeamSearch(beam_size=3, length_penalty=0.5),
    )
    assert main(["translate", "--ckpt_path", str(path), "--input", str(folder / "val.de")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 40
    checkpoint = torch.load(path, weights_only=True)
    model = checkpoint["hyper_parameters"]
    assert model["_class_path"] == "lightning_modules.nmt.AttentionNMT"
    assert model["decoder"]["init_args"]["attention"] == {
        "class_path": "lightning_modules.layers.attention.multi_head.MultiHeadAttention",
        "init_args": {"heads": 2, "attention_size": None, "temperature": 1.0},
    }
    assert checkpoint["datamodule_hyper_parameters"]["_class_path"] == "datamodules.translation.TranslationDataModule"
    loaded = AttentionNMT.load_from_checkpoint(path)
    assert loaded.test_search.beam_size == 3


def test_the_command_line_goes_on_with_it(folder: Path) -> None:
    parts: dict[str, Any] = {
        "encoder": partial(RecurrentEncoder, cell="gru", hidden_size=48),
        "decoder": partial(LuongDecoder, cell="gru", hidden_size=64, input_feeding=False, dropout=0.1),
        "optimizer": partial(torch.optim.Adam, lr=0.006),
        "scheduler": partial(WarmupSchedule, warmup_steps=40),
    }
    path = fitted(folder, **parts)
    config = ["--config", str(folder / "tiny.yaml"), "--trainer.logger", "false"]
    assert main(["test", *config, "--ckpt_path", str(path)]) == 0
    fit = ["fit", *config, "--trainer.max_epochs", "1", "--model.init_args.embedding_size", "8"]
    same = ["--data.init_args.target_tokenizer.init_args.min_frequency", "2"]
    assert main([*fit, *same, "--init_from", str(path)]) == 0


def test_one_made_of_classes_and_of_a_function_translates(folder: Path) -> None:
    path = fitted(folder, encoder=RecurrentEncoder, decoder=BahdanauDecoder, scheduler=constant)
    hyperparameters = torch.load(path, weights_only=True)["hyper_parameters"]
    assert hyperparameters["scheduler"] == f"{__name__}.constant"
    assert hyperparameters["encoder"]["class_path"] == "lightning_modules.layers.encoder.recurrent.RecurrentEncoder"


class Forgetful(BeamSearch):
    def __init__(self, width: int) -> None:
        super().__init__(beam_size=width)


def made_here() -> type[RecurrentEncoder]:
    class Here(RecurrentEncoder): ...

    return Here


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("encoder", lambda size: RecurrentEncoder(size), "encoder is a lambda, which a checkpoint cannot keep: give a"),
        ("decoder", partial(LuongDecoder, attention=lambda q, m: GeneralAttention(q, m)), "decoder.attention is a lam"),
        ("encoder", made_here(), "encoder is made_here.<locals>.Here of"),
        ("scheduler", partial(constant), "scheduler is functools.partial of the function constant"),
        ("test_search", Forgetful(2), "test_search: a Forgetful does not keep its argument 'width'"),
    ],
)
def test_what_cannot_be_kept_is_refused(part: str, value: Callable[..., Any], message: str, folder: Path) -> None:
    data = tiny_data(folder)
    parts: dict[str, Any] = {part: value}
    model = AttentionNMT(data.source_vocabulary_size, data.target_vocabulary_size, embedding_size=8, **parts)
    trainer = quiet_trainer(folder, limit_train_batches=1)
    trainer.fit(model, data)  # without checkpoints
    with pytest.raises(UserError) as late:
        trainer.save_checkpoint(folder / "late.ckpt")
    trainer.callbacks.append(ModelCheckpoint(dirpath=folder / "never"))
    with pytest.raises(UserError) as early:
        trainer.fit(model, data)
    assert message in str(early.value)
    assert str(late.value) == str(early.value)
    assert "\n" not in str(early.value)
    assert not list(folder.glob("**/*.ckpt"))


def test_values_without_a_name_are_refused() -> None:
    with pytest.raises(UserError, match=r"decoder is functools.partial\(LuongDecoder\) with values that have no name"):
        described_value(partial(LuongDecoder, 8, 8), "decoder")


@pytest.mark.parametrize("value", [timedelta(days=1), range(3), torch.Generator()])
def test_a_value_that_does_not_say_what_it_was_made_of_is_refused(value: object) -> None:
    with pytest.raises(UserError, match=f"step is a {type(value).__name__}, which does not say what it was made of"):
        described_value(value, "step")
    assert described_value(type(value), "step")["init_args"] == {}, "its class is kept"


def test_every_part_of_seqlab_keeps_its_arguments() -> None:
    needed = {"schedule": Linear(2.0), "length": 3.0, "k": 0.5, "text": CharacterTokenizer()}
    kinds = subclasses([Search, Forcing, ForcingSchedule, Curriculum, Tokenizer, SequenceTask])
    assert len(kinds) > 12
    for path in kinds:
        names = inspect.signature(kind := resolve(path)).parameters
        given = {name: needed[name] for name in names if name in needed}
        part = kind(**(given | {"k": 2.0} if kind is InverseSigmoid else given))
        described = described_value(part, "part")
        assert resolve(described["class_path"]) is kind
        assert set(described["init_args"]) == set(names)
