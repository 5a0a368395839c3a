"""What a config or an option has wrong is told in one line, with close matches and with what exists."""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
import yaml

from experiments.cli import main
from experiments.config.known_classes import expected_types, subclasses, suggest_class
from lightning_modules.layers.attention import Attention
from tests.experiments.tiny_task import write_tiny_task

MODEL_OPTIONS = "known: bridge, decoder, dropout, embedding_size, encoder, feature_vocabulary_size, forcing, head"
DECODERS = "in lightning_modules.layers.decoder: BahdanauDecoder, FixedContextDecoder, LuongDecoder"
COMMAND_OPTIONS = "known: ckpt_path, config, data, experiment, extend_vocabulary, init_from, model"
FORMS = "TextFiles or TsvFile or CsvFile or JsonLinesFile or ParquetFile or SavedDataset or DialogueFile"


@pytest.fixture
def config(tmp_path: Path, seed: int) -> Path:
    return write_tiny_task(tmp_path, seed, train_size=40)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a wrong command is answered with."""
    assert main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seqlab: error: ")
    return line.removeprefix("seqlab: error: ")


@pytest.mark.parametrize(
    ("option", "value", "messages"),
    [
        (
            "--model.init_args.embeding_size",
            3,
            ["unknown option 'embeding_size'", "mean 'embedding_size'", MODEL_OPTIONS],
        ),
        ("--model.embeding_size", 3, ["unknown option 'embeding_size'", "mean 'embedding_size'", MODEL_OPTIONS]),
        ("--model.init_args.zzz", 3, ["unknown option 'zzz': known: ", MODEL_OPTIONS]),
        (
            "--model.init_args.decoder.init_args.hiden_size",
            3,
            ["did you mean 'hidden_size'? known: attention, cell, dropout, hidden_size, input_feeding, layers"],
        ),
        (
            "--model.init_args.optimizer.init_args.learning_rate",
            0.1,
            ["'learning_rate': known: amsgrad, betas,", " lr,"],
        ),
        ("--trainer.max_epok", 3, ["did you mean 'max_epochs' or", "? all 4", "are in seqlab fit --help"]),
        ("--trainr.max_epochs", 3, ["did you mean 'trainer'?", COMMAND_OPTIONS]),
        ("--max_epochs", 3, ["did you mean '--trainer.max_epochs'", COMMAND_OPTIONS]),
        ("--lr", 0.1, [COMMAND_OPTIONS, "--model.init_args.NAME"]),
        (
            "--model",
            "lightning_modules.nmt.AtentionNMT",
            ["did you mean 'lightning_modules.nmt.AttentionNMT'? known in "],
        ),
        (
            "--model",
            "lightning_modules.nmtt.AttentionNMT",
            ["did you mean 'lightning_modules.nmt.AttentionNMT'? known in"],
        ),
        ("--model", "torch.nn.Linear", ["model: torch.nn.Linear is no LightningModule; known in lightning_modules."]),
        ("--model.help", "AttentionNTM", ["did you mean 'lightning_modules.nmt.AttentionNMT'? known in "]),
        ("--model.init_args.decoder", "BahdanauDecodr", ["mean 'lightning_modules.layers.decoder.Bahdanau", DECODERS]),
        ("--model.init_args.decoder", "GeneralAttention", ["there is no class 'GeneralAttention': known", DECODERS]),
        (
            "--model.init_args.encoder",
            "torch.optim.Adam",
            ["torch.optim.Adam is no Encoder; known in", "RecurrentEncoder"],
        ),
        (
            "--model.init_args.decoder.init_args.attention",
            "lightning_modules.layers.attention.DotAttenton",
            ["did you mean 'lightning_modules.layers.attention.DotAttention'", "NoAttention"],
        ),
        (
            "--model.init_args.optimizer",
            "torch.optim.Adm",
            ["did you mean 'torch.optim.Adam' or", "in torch.optim: ASGD,"],
        ),
        (
            "--trainer.callbacks",
            "TextMetric",
            [
                "mean 'experiments.callbacks.TextMetrics' or 'experiments.callbacks.TruncateMetrics'?",
                "WordAttention, WorstErrors; all of",
            ],
        ),
        (
            "--model.init_args.encoder.init_args.cell",
            "lstmm",
            ["one of lstm, gru, rnn, layer_norm_lstm: did you mean 'lstm'?"],
        ),
        ("--model.init_args.encoder.init_args.cell", "zzz", ["cell is 'zzz', but has to be one of lstm, gru, rnn"]),
        ("--model.init_args.optimizer.init_args.lr", "fast", ["lr is 'fast', but has to be of type float"]),
        ("--model.init_args.dropout", "null", ["model: dropout is 'null', but has to be of type float"]),
        ("--seed_everything", -1, ["seed_everything is -1: give 0 to 4294967295"]),
        ("--data.init_args.batch_size", "x", ["data: batch_size is 'x', but has to be of type int"]),
        (
            "--data.init_args.train",
            "x.tsv",
            ["train is 'x.tsv', but has to be {source: ..., target: ...} or {tsv: x.tsv}"],
        ),
        ("--trainer.max_epochs", "x", ["trainer.max_epochs is 'x', but has to be of type int"]),
        (
            "--trainer.logger",
            "WandbLoger",
            ["trainer.logger is 'WandbLoger', but has to be of type bool, or a class: did"],
        ),
        ("--trainer.precision", "15", ["trainer.precision is '15', but has to be one of 32-true, 64-true, bf16-true"]),
        ("--trainer.max_epoch", 1, ["unknown option '--trainer.max_epoch': did you mean 'max_epochs'"]),
        (
            "--data.init_args.train",
            "{tvs: x}",
            [
                f"train ({FORMS}): unknown option 'tvs': did you mean 'tsv'?",
                "known: before, columns, csv, dataset, delimiter, dialogues, fold_spaces, header, jsonl, lines,",
            ],
        ),
    ],
)
def test_mistyped_options(
    option: str, value: object, messages: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(capsys, "fit", "--config", config, option, value)
    for message in messages:
        assert message in line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "trainer:",
            "trainr:",
            f"tiny.yaml, line 27: unknown option 'trainr': did you mean 'trainer'? {COMMAND_OPTIONS}",
        ),
        (
            "embedding_size: 24",
            "embeding_size: 24",
            "unknown option 'embeding_size': did you mean 'embedding_size'? known:",
        ),
        ("{sentences: 1}", "{sentence: 1}", "unknown option 'sentence': did you mean 'sentences'? known: sentences"),
        (
            "{tsv: ",
            "{tvs: ",
            f"init_args.test ({FORMS}): unknown option 'tvs': did you mean 'tsv'? known: before, columns, csv,",
        ),
        ("LuongDecoder", "LuongDecodr", "did you mean 'lightning_modules.layers.decoder.LuongDecoder'? known in"),
        (
            "layers.decoder.LuongD",
            "layer.decoder.LuongD",
            "mean 'lightning_modules.layers.decoder.LuongDecoder'? known in",
        ),
        ("  class_path: lightning_modules.nmt.AttentionNMT\n", "", "model has init_args, but no class_path; known in "),
        ("max_epochs: 13", "max_epochs: many", "trainer.max_epochs is 'many', but has to be of type int"),
        ("  max_epochs: 13", "\tmax_epochs: 13", "line 29: a tab stands before the text; YAML indents with spaces"),
        ("max_epochs: 13", "max_epochs 13", "line 29: could not find expected ':' in 'max_epochs 13'"),
        ("trainer:", "model: {}\ntrainer:", "line 27: 'model' is given in line 2 already: keep one of them"),
        (
            "accelerator: cpu",
            "accelerator: cpu\n  accelerator: gpu",
            "line 29: 'accelerator' is given in line 28 already",
        ),
    ],
)
def test_mistyped_configs(old: str, new: str, message: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    assert message in told(capsys, "fit", "--config", config)


NMT = "model:\n  class_path: lightning_modules.nmt.AttentionNMT\n  init_args:\n"
DECODER = f"{NMT}    decoder:\n      class_path: lightning_modules.layers.decoder.LuongDecoder\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{DECODER}      hidden_size: 3",
            "line 6: model.init_args.decoder (LuongDecoder): 'hidden_size' stands beside class_path: put it under "
            "init_args",
        ),
        (
            f"{DECODER}      init_args:\n        attention:\n          class_path: DotAttention\n          init_args:\n"
            "            temprature: 2",
            "line 10: model.init_args.decoder.init_args.attention (DotAttention): unknown option 'temprature': did you "
            "mean 'temperature'? known:",
        ),
        (
            f"{DECODER}      init_arg: {{}}",
            "line 6: model.init_args.decoder (LuongDecoder): unknown option 'init_arg'",
        ),
        (f"{DECODER}      init_args: 3", "line 6: init_args has to be a mapping"),
        (f"{NMT}    class_path: LuongDecoder", "line 4: model (AttentionNMT): 'class_path' stands under init_args: "),
        (
            f"{DECODER}      init_args: {{hidden_size: 3}}\n    hidden_size: 3",
            "line 7: model (AttentionNMT): unknown option 'hidden_size': did you mean 'embedding_size'? known: bridge",
        ),
        (
            f"{DECODER}      init_args: {{hidden_size: 3}}\nhidden_size: 3",
            "line 7: unknown option 'hidden_size': known: ckpt_path",
        ),
        (
            f"{DECODER}      init_args: {{cell: gro}}",
            "line 6: model: cell is 'gro', but has to be one of lstm, gru, rnn",
        ),
        (f"{NMT}    tied: [1]", "line 4: model: tied is '[1]', but has to be one of"),
        (
            "trainer:\n  callbacks:\n    - TextMetrics\n    - class_path: AlignmentFigures\n      sentences: 2",
            "line 5: trainer.callbacks[1] (AlignmentFigures): 'sentences' stands beside class_path: put it under ",
        ),
        (
            "trainer:\n  callbacks+:\n    - class_path: AlignmentFigures\n      sentences: 2",
            "line 4: trainer.callbacks[0] (AlignmentFigures): 'sentences' stands beside class_path: put it under ",
        ),
        (
            "trainer:\n  callbacks:\n    - TextMetrics: {}",
            "line 3: trainer.callbacks[0] (Callback): unknown option 'TextMetrics': known: class_path, init_args",
        ),
        ("data:\n  init_args: {batchsize: 3}", "line 2: data (TranslationDataModule): unknown option 'batchsize': did"),
        ("data:\n  batchsize: 3", "line 2: data (TranslationDataModule): unknown option 'batchsize': did you mean"),
        (
            "model:\n  init_args:\n    decoder:\n      hidden: {}",
            "line 4: model.init_args.decoder (LuongDecoder): unknown ",
        ),
        (f"{NMT}    dropout: null", "line 4: model (AttentionNMT): dropout is null: give a value, or leave it out"),
        (
            f"{DECODER}      init_args: {{hidden_size:}}",
            "line 6: model.init_args.decoder (LuongDecoder): hidden_size is",
        ),
        (
            f"{DECODER}      init_args:\n        hidden_size: some",
            "line 7: model: hidden_size is 'some', but has to be of type int",
        ),
        ("model:\n  init_args:\n    tied: some", "line 3: model: tied is 'some', but has to be one of"),
        ("data:\n  class_path: [1]", "line 2: class_path has to be the import path of a class"),
        ("trainer:", "line 1: trainer has no keys: give some, one a line and indented, or leave trainer out"),
        ("trainer: []", "line 1: trainer has no keys"),
        (
            "trainer:\n  <<: {max_epochs: 1}\n  min_epochs: x",
            "line 3: trainer.min_epochs is 'x', but has to be of type",
        ),
    ],
)
def test_a_key_or_value_at_any_depth_has_a_file_a_line_and_its_part(
    text: str, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragment = config.parent / "fragment.yaml"
    fragment.write_text(f"{text}\n")
    line = told(capsys, "fit", "--config", config, "--config", fragment)
    assert line.startswith(f"--config {fragment}, {message}")
    takes_it = "hidden_size: 3}" in text
    assert line.endswith("; it could stand in model.init_args.decoder.init_args") == takes_it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# nothing yet\n", "is empty"),
        (b"- a\n", "has no keys"),
        (b"hello", "has no keys"),
        (b"\x89PNG\r\n", "is no text in UTF-8"),
        (b"a: [1, 2\nb: 3\n", "line 2: "),
        (b"a: \x07\n", "is no YAML"),
    ],
)
def test_files_that_are_no_config(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    line = told(capsys, "fit", "--config", path)
    assert line.startswith(f"--config {path}")
    assert message in line
    assert "is a directory" in told(capsys, "fit", "--config", tmp_path)
    assert f"say --config {path}" in told(capsys, "fit", path)


def test_a_file_of_data_is_not_read_as_a_config(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However large it is: its name is what was given."""
    data = config.parent / "data.tsv"
    data.write_text("eins zwei\tdeux un\n" * 40_000)
    line = told(capsys, "fit", "--config", config, "--data.init_args.train", data)
    forms = "{csv: ..., columns: ...} or {jsonl: ..., columns: ...} or {parquet: ..., columns: ...}"
    forms += f" or {{dataset: ..., columns: ...}} or {{dialogues: {data}}}"
    assert line == f"data: train is '{data}', but has to be {{source: ..., target: ...}} or {{tsv: {data}}} or {forms}"
    assert f"lr is '{data}', but has" in told(
        capsys, "fit", "--config", config, "--model.init_args.optimizer.init_args.lr", data
    )
    assert f"trainer is '{data}', but has to be the name of a YAML file" in told(
        capsys, "fit", "--config", config, "--trainer", data
    )
    text = config.read_text()
    config.write_text(text.replace("val: {source", f"val: {data}\n    # {{"))
    line = told(capsys, "fit", "--config", config)
    number = text.splitlines().index(next(line for line in text.splitlines() if "val: " in line)) + 1
    assert line.startswith(f"--config {config}, line {number}: data: val is '{data}', but has to be ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--config", "{config}", "--seed_everything", "x" * 5000],
        ["fit", "--config", "{config}", "--data.init_args.batch_size", "so many " * 1000],
        ["fit", "--config", "{config}", "--trainer.callbacks", f"[{'1, ' * 5000}1]"],
        ["fit", "--config", "{config}", f"--{'y' * 5000}", "1"],
        ["fit", "--config", "z" * 5000],
        ["z" * 5000],
    ],
)
def test_no_message_shows_more_than_300_characters_of_a_value(
    arguments: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told(capsys, *(argument.replace("{config}", str(config)) for argument in arguments))
    assert len(line) < 900
    assert not re.search(r"[\w…]{301}|(so many ){38}|(1, ){101}", line)


def test_one_record_takes_the_place_of_another(config: Path) -> None:
    """A TSV where the config has two files, and the other way round."""
    folder = config.parent
    (folder / "train.tsv").write_text("eins zwei\tdeux un\n" * 40)
    other = folder / "other.yaml"
    other.write_text(
        "data:\n  class_path: datamodules.translation.TranslationDataModule\n  init_args:\n"
        f"    train: {{tsv: {folder}/train.tsv}}\n"
    )
    pairs = f"{{source: {folder}/val.de, target: {folder}/val.fr}}"
    options = ["--data.init_args.test", pairs, "--trainer.fast_dev_run", "1"]
    assert main(["fit", "--config", str(config), "--config", str(other), *options]) == 0
    options += ["--data.init_args.train", f"{{tsv: {folder}/train.tsv}}"]
    assert main(["fit", "--config", str(config), *options]) == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--model.init_args.val_search.init_args.max_ratio", "null"],
        ["--model.init_args.val_search", "{class_path: BeamSearch, init_args: {max_ratio: null}}"],
    ],
)
def test_null_reaches_the_options_of_a_part(
    options: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = "lightning_modules.decoding.beam.BeamSearch"
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(config), "--model.init_args.val_search", search, *options, "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["init_args"]["val_search"]["init_args"]["max_ratio"] is None


def test_aliases_may_repeat_a_part(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What YAML repeats by an alias is written once."""
    text = config.read_text().replace("train: {source", "train: &pairs {source")
    config.write_text(text.replace("batch_size: 32", "batch_size: 0").replace("val: {source", "val: *pairs\n    # {"))
    assert main(["fit", "--config", str(config)]) == 2
    assert "data.init_args.batch_size is 0" in capsys.readouterr().err.splitlines()[-1]


def test_a_part_of_ones_own_that_cannot_be_imported(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_broken.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "mine.py").write_text(
        "from lightning_modules.layers.attention import DotAttention\nclass MineAttention(DotAttention): ...\n"
    )
    option = "--model.init_args.decoder.init_args.attention"
    line = told(capsys, "fit", "--config", config, option, "mine_broken.Mine")
    assert "mine_broken.Mine cannot be imported: No module named 'a_package_that_is_not_there'" in line
    line = told(capsys, "fit", "--config", config, option, "mine.MineAttenton")
    assert f"mine ({tmp_path / 'mine.py'}) has no class 'MineAttenton': did you mean 'MineAttention'?" in line
    for name in ("mine", "mine_broken"):
        sys.modules.pop(name, None)


@dataclasses.dataclass
class _Record:
    field: int


@pytest.mark.parametrize(
    ("hint", "types"),
    [
        (int, [int]),
        (int | None, [int]),
        (Callable[[int, int], Attention] | None, [Attention]),
        (list[Callable[[int], _Record | float]], [_Record, float]),
        (Mapping[str, int], [int]),
        (Literal["a", "b"] | bool, [Literal["a", "b"], bool]),
        (None, []),
    ],
)
def test_what_an_annotation_expects(hint: object, types: list[object]) -> None:
    assert list(expected_types(hint)) == types


def test_classes_that_exist_can_be_made() -> None:
    attentions = subclasses([Attention])
    assert "lightning_modules.layers.attention.GeneralAttention" in attentions
    assert "lightning_modules.layers.attention.Attention" not in attentions
    optimizers = suggest_class("torch.optim.Zzz", subclasses([torch.optim.Optimizer]))
    assert optimizers.startswith("known in torch.optim: ASGD, ")
