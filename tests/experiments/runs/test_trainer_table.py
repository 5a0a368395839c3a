"""Every option of Lightning's Trainer and every precision through the command line: it works, or is refused like so."""

import csv
import inspect
import typing
from pathlib import Path

import lightning as L
import pytest
import torch

from datamodules.batch import Padded, SequenceBatch, VectorBatch
from experiments.cli import main
from experiments.runs.precisions import in_precision
from tests.experiments.tiny_task import write_tiny_task

WORKS = ""
PRECISIONS = "give one of 32-true, 64-true, bf16-true, bf16-mixed, 16-mixed"
NO_ENGINE = f"which needs the package transformer_engine: {PRECISIONS}"

pytestmark = pytest.mark.long

TABLE: list[tuple[str, object, str]] = [
    ("accelerator", "cpu", WORKS),
    ("accelerator", "tpux", "trainer: You selected an invalid accelerator name"),
    ("strategy", "dp", "trainer: You selected an invalid strategy name"),
    ("strategy", "fsdp", "trainer: The strategy `fsdp` requires a GPU accelerator"),
    ("devices", 1, WORKS),
    ("devices", "[0]", "trainer: `devices` selected with `CPUAccelerator` should be an int > 0"),
    ("num_nodes", 0, "trainer: `num_nodes` must be a positive integer"),
    *((("precision", each, WORKS)) for each in ("64", "64-true", "32", "32-true", "bf16-true")),
    *((("precision", each, WORKS)) for each in ("16", "16-mixed", "bf16", "bf16-mixed")),
    ("precision", "16-true", f"trainer.precision is 16-true, in which weights become NaN at once: {PRECISIONS}"),
    ("precision", "transformer-engine", NO_ENGINE),
    ("precision", "transformer-engine-float16", NO_ENGINE),
    ("logger", "false", WORKS),
    ("logger", "CSVLogger", "trainer.logger: the following arguments are required: save_dir"),
    ("callbacks", "null", WORKS),
    ("fast_dev_run", 2, WORKS),
    ("max_epochs", 0, WORKS),
    ("max_epochs", -2, "trainer: `max_epochs` must be a non-negative integer or -1"),
    ("min_epochs", 1, WORKS),
    ("max_steps", 1, WORKS),
    ("max_steps", -3, "trainer.max_steps is -3: give -1 or more"),
    ("min_steps", 1, WORKS),
    ("max_time", "00:00:01:00", WORKS),
    ("max_time", "soon", "trainer: `Timer(duration='soon')` is not a valid duration"),
    ("limit_train_batches", 1, WORKS),
    ("limit_train_batches", 1.5, "trainer: You have passed invalid value 1.5 for limit_train_batches"),
    ("limit_val_batches", 1, WORKS),
    ("limit_test_batches", 1, WORKS),
    ("limit_predict_batches", 1, WORKS),
    ("overfit_batches", 1, WORKS),
    ("val_check_interval", 1, WORKS),
    ("check_val_every_n_epoch", 2, WORKS),
    ("check_val_every_n_epoch", 0, "trainer.check_val_every_n_epoch is 0: give 1 or more"),
    ("num_sanity_val_steps", 0, WORKS),
    ("log_every_n_steps", 0, WORKS),
    ("log_every_n_steps", -1, "trainer.log_every_n_steps is -1: give 0 or more"),
    ("enable_checkpointing", "false", "enable_checkpointing=False` but found `ModelCheckpoint`"),
    ("enable_progress_bar", "true", WORKS),
    ("enable_model_summary", "true", WORKS),
    ("accumulate_grad_batches", 2, WORKS),
    ("accumulate_grad_batches", 0, "trainer.accumulate_grad_batches is 0: give 1 or more"),
    ("gradient_clip_val", 0.5, WORKS),
    ("gradient_clip_val", -1, "trainer.gradient_clip_val is -1: give 0 or more"),
    ("gradient_clip_algorithm", "value", WORKS),
    ("gradient_clip_algorithm", "x", "trainer: `gradient_clip_algorithm` x is invalid"),
    ("deterministic", "warn", WORKS),
    ("benchmark", "false", WORKS),
    ("inference_mode", "false", WORKS),
    ("use_distributed_sampler", "true", WORKS),
    ("profiler", "simple", WORKS),
    ("profiler", "x", "trainer.profiler is 'x': known: advanced, "),
    ("detect_anomaly", "true", WORKS),
    ("barebones", "true", "trainer: `Trainer(barebones=True, logger="),
    ("plugins", "lightning.pytorch.plugins.AsyncCheckpointIO", WORKS),
    ("sync_batchnorm", "true", WORKS),
    ("reload_dataloaders_every_n_epochs", 1, WORKS),
    ("default_root_dir", "elsewhere", WORKS),
    ("enable_autolog_hparams", "false", WORKS),
    ("model_registry", "name", WORKS),
]
"""Option, value, and what is told where the value is refused; strategy ddp has its processes in test_processes.py."""


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    """Two batches of training, two of validation, of a model that is as small as can be."""
    path = write_tiny_task(tmp_path, seed, train_size=40)
    text = path.read_text()
    for size in (48, 64, 24):
        text = text.replace(f"_size: {size}", "_size: 8")
    text = text.replace("max_epochs: 13", "max_epochs: 1").replace("log_every_n_steps: 5", "log_every_n_steps: 1")
    checkpoint = text[text.index("    - class_path: lightning.pytorch.callbacks.ModelCheckpoint") :]
    logger = "  logger: experiments.loggers.MetricsCSV\n"
    path.write_text(text[: text.index("  callbacks:")] + logger + "  callbacks:\n" + checkpoint.replace("bleu", "loss"))
    return path


@pytest.mark.parametrize(("option", "value", "message"), TABLE)
def test_an_option_works_or_is_refused_in_one_line(
    option: str, value: object, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if option == "default_root_dir":
        value = config.parent / str(value)
    status = main(["fit", "--config", str(config), f"--trainer.{option}", str(value)])
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("seqlab: error: ")]
    assert (status, len(errors)) == ((2, 1) if message else (0, 0)), errors
    assert message in "".join(errors)


def test_no_option_and_no_precision_is_missing() -> None:
    options = inspect.signature(L.Trainer).parameters
    assert {option for option, _, _ in TABLE} == set(options)
    literals = typing.get_args(options["precision"].annotation)
    names = {
        str(name) for each in literals if typing.get_origin(each) is typing.Literal for name in typing.get_args(each)
    }
    assert {str(value) for option, value, _ in TABLE if option == "precision"} == names


def test_other_precisions_learn(tmp_path: Path, seed: int) -> None:
    """As float32 does: from the same weights, on the same batches."""
    config = write_tiny_task(tmp_path, seed, train_size=500)
    losses = {}
    for each in ("32-true", "64-true", "bf16-true"):
        options = ["--trainer.precision", each, "--experiment", each, "--trainer.max_epochs", "2"]
        assert main(["fit", "--config", str(config), *options, "--trainer.logger", "MetricsCSV"]) == 0
        with (tmp_path / "runs" / each / "1" / "metrics.csv").open(newline="") as file:
            losses[each] = [float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]]
    for precision, tolerance in (("64-true", 1e-3), ("bf16-true", 0.1)):
        assert losses[precision] == pytest.approx(losses["32-true"], abs=tolerance)
        assert losses[precision][1] < losses[precision][0]
        run = tmp_path / "runs" / precision / "1"
        assert main(["translate", "--ckpt_path", str(run), "--input", str(tmp_path / "val.de")]) == 0


def test_only_real_numbers_change_their_precision() -> None:
    vectors, index = torch.rand(1, 2, 3), torch.tensor([0])
    padded = Padded(vectors, torch.tensor([2]))
    converted = in_precision(VectorBatch(padded, padded, index), torch.bfloat16)
    assert isinstance(converted, VectorBatch)
    assert converted.source.values.dtype is converted.target.values.dtype is torch.bfloat16
    assert converted.source.lengths.dtype is converted.index.dtype is torch.int64
    assert torch.equal(converted.source.values, vectors.bfloat16())
    ids = SequenceBatch.from_pairs([[4]], [[5]], index)
    assert in_precision(ids, torch.float64).source.values.dtype is torch.int64
