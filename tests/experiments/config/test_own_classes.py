"""Classes of one's own: found beside the config, trusted where the command names them, told of where they are wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tiny_task import write_tiny_task

ATTENTION = "--model.init_args.decoder.init_args.attention"

PARTS = """\
from lightning_modules.forcing import Linear
from lightning_modules.layers.attention import GeneralAttention
from datamodules.translation import TranslationDataModule
from datamodules.tokenizers import WhitespaceTokenizer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler

class OwnAttention(GeneralAttention):
    '''Ours.'''

def own_rate(optimizer: Optimizer) -> LRScheduler:
    return ConstantLR(optimizer)

class OwnSchedule(Linear):
    '''Ours.'''

class OwnTokenizer(WhitespaceTokenizer):
    '''Ours.'''

class OwnData(TranslationDataModule):
    '''Ours.'''
"""


@pytest.fixture
def config(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tiny task in the working directory, with a module of classes beside it that is on no path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "own_parts.py").write_text(PARTS)
    (tmp_path / "hostile.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()\nclass Part: ...\n")
    yield write_tiny_task(tmp_path, seed, train_size=40)
    for name in set(sys.modules) - before:
        if name.partition(".")[0].startswith(("own_", "hostile")):
            del sys.modules[name]


def seqlab(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a wrong command is answered with."""
    capsys.readouterr()
    assert seqlab(*arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
    assert len(lines) == 1
    return lines[0]


def test_what_a_command_names_is_trusted_in_it_and_in_no_other(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", "--config", config, "--trainer.max_epochs", 1, "--trainer.logger", "false"]
    own = [ATTENTION, "own_parts.OwnAttention", "--data.init_args.tokenizer", "own_parts.OwnTokenizer"]
    assert seqlab(*fit, *own) == 0
    assert sys.path[-1] == str(config.parent), "at the end, where it hides nothing"
    run = config.parent / "runs" / "tiny" / "1"
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "  or: seqlab translate --ckpt_path runs/tiny/1/checkpoints/best.ckpt --trust own_parts"
    of_run = ["--config", run / "config.yaml", "--trainer.logger", "false"]
    assert seqlab("test", *of_run, "--ckpt_path", run) == 0
    assert seqlab(*fit, *own, "--ckpt_path", "last") == 0
    assert seqlab(*fit, *own, "--init_from", run) == 0
    for command in ("fit", "test"):
        assert "add --trust own_parts" in told(capsys, command, "--config", config, "--ckpt_path", run)
    assert "add --trust own_parts" in told(capsys, "fit", "--config", config, "--init_from", run)
    assert "add --trust own_parts" in told(capsys, "translate", "--ckpt_path", run)
    source = config.parent / "val.de"
    translate = line.partition("seqlab ")[2].split()
    assert seqlab(*translate, "--input", source, "--output", config.parent / "hypotheses") == 0
    assert len((config.parent / "hypotheses").read_text().splitlines()) == len(source.read_text().splitlines())
    (config.parent / "own_parts.py").rename(config.parent / "elsewhere.py")
    del sys.modules["own_parts"]
    assert "names own_parts.OwnAttention: package own_parts cannot be found" in told(capsys, *translate)


def test_a_package_that_only_one_part_of_the_data_comes_from(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["--data", "own_parts.OwnData", "--model.init_args.forcing", "lightning_modules.forcing.ScheduledSampling"]
    schedule = "--model.init_args.forcing.init_args.schedule"
    own += [schedule, "own_parts.OwnSchedule", f"{schedule}.init_args.length", "2"]
    fit = ["fit", "--config", config, *own, "--trainer.max_epochs", 1, "--trainer.logger", "false"]
    assert seqlab(*fit) == 0
    assert capsys.readouterr().out.endswith(" --trust own_parts\n")
    run = config.parent / "runs" / "tiny" / "1"
    of_run = ["--config", run / "config.yaml", "--trainer.logger", "false"]
    assert seqlab("validate", *of_run, "--ckpt_path", run) == 0


@pytest.fixture
def stranger(config: Path) -> Path:
    """The directory of a run that someone else made: its config and its checkpoints name a hostile package."""
    run = config.parent / "stranger"
    (run / "checkpoints").mkdir(parents=True)
    text = config.read_text().replace("input_feeding: false", "attention: hostile.Part")
    assert "hostile" in text
    (run / "config.yaml").write_text(f"trust: hostile\n{text}")
    checkpoint = tiny_checkpoint()
    checkpoint["hyper_parameters"]["decoder"]["init_args"]["attention"] = {"class_path": "hostile.Part"}
    for name in ("best", "last"):
        write(run / "checkpoints" / f"{name}.ckpt", checkpoint)
    return run


@pytest.mark.parametrize(
    "command",
    [
        "translate --ckpt_path {run}",
        "translate --ckpt_path {run} --trust own_parts",
        "score --ckpt_path {run} --source val.de --target val.fr",
        "show states --ckpt_path {run}",
        "average {run}/checkpoints/best.ckpt {run}/checkpoints/last.ckpt --output averaged.ckpt",
        "test --ckpt_path {run}",
        "predict --ckpt_path {run}/checkpoints/last.ckpt",
        "validate --config tiny.yaml --ckpt_path {run}",
        "test --config tiny.yaml --ckpt_path {run} {own}",
        "fit --config tiny.yaml --ckpt_path {run} {own}",
        "fit --config tiny.yaml --init_from {run} {own}",
        "fit --config tiny.yaml --init_from {run} {own} --trust torch",
    ],
)
def test_the_directory_of_a_run_grants_nothing(
    command: str, stranger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.format(run=stranger, own=f"{ATTENTION} own_parts.OwnAttention").split()
    assert "hostile" in (line := told(capsys, *words)) or "--config" in line
    assert not (stranger.parent / "canary").exists()
    assert "hostile" not in sys.modules


def test_trust_may_be_given_several_times(stranger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = ["test", "--config", stranger.parent / "tiny.yaml", "--ckpt_path", stranger]
    assert "hostile" in told(capsys, *test, "--trust", "own_parts", "--trust=other")
    assert "add --trust" not in told(capsys, *test, "--trust", "hostile", "--trust=other"), "imported, of no use"
    assert (stranger.parent / "canary").exists()


@pytest.mark.parametrize(
    ("class_path", "message"),
    [
        ("nowhere.Attention", "package nowhere cannot be found (for nowhere.Attention): set PYTHONPATH"),
        ("nowhere.parts.Attention", "package nowhere cannot be found"),
        ("own_parts.OwnAttenton", "own_parts.py) has no class 'OwnAttenton': did you mean 'OwnAttention'?"),
        ("own_package.prats.Part", "has no module 'prats': did you mean 'parts'? known: parts"),
        ("own_package.parts.Prat", "parts.py) has no class 'Prat': did you mean 'Part'? known: P, Part"),
        ("own_syntax.Attention", "own_syntax.Attention cannot be imported: SyntaxError: '(' was never closed"),
        ("own_needs.Attention", "own_needs.Attention cannot be imported: No module named 'nowhere'"),
        ("own_fails.Attention", "own_fails.Attention cannot be imported: KeyError: 'a' ("),
        ("own_script.Attention", "a module that this command names ended it when it was imported ("),
        ("lightning_module.layers.attention.DotAttention", "did you mean 'lightning_modules.layers.attention.Dot"),
    ],
)
@pytest.mark.parametrize("option", [ATTENTION, "--data", "--trainer.callbacks+", "--data.init_args.tokenizer"])
def test_why_a_class_is_not_found(
    option: str, class_path: str, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {
        "syntax": "def f(\n",
        "needs": "\nimport nowhere.deep\n",
        "fails": "{}['a']\n",
        "script": "raise SystemExit('usage: none')\n",
    }.items():
        (config.parent / f"own_{name}.py").write_text(text)
    (config.parent / "own_package").mkdir()
    (config.parent / "own_package" / "__init__.py").touch()
    (config.parent / "own_package" / "parts.py").write_text("class Part: ...\nclass P: ...\nclass _Part: ...\n")
    if option != ATTENTION and class_path.startswith("lightning_module."):
        message = "there is no class 'lightning_module.layers.attention.DotAttention'"
    assert message in (line := told(capsys, "fit", "--config", config, option, class_path))
    place = option.removeprefix("--").removesuffix("+")
    if "own_script" not in class_path and "lightning_module" not in class_path:
        assert f"error: {place}: " in line or f"error: {place.partition('.')[0]}: " in line
    if class_path.startswith(("own_syntax", "own_needs", "own_fails", "own_script")):
        assert f"{config.parent}/{class_path.partition('.')[0]}.py, line" in line
    assert not list(config.parent.glob("runs/*"))


def test_a_function_of_ones_own_is_trusted_like_a_class(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "--config", config, "--model.init_args.scheduler", "own_parts.own_rate", "--trainer.max_epochs", 1]
    assert seqlab(*fit, "--trainer.logger", "false") == 0
    assert capsys.readouterr().out.endswith(" --trust own_parts\n")
    run = config.parent / "runs" / "tiny" / "1"
    assert "add --trust own_parts" in told(capsys, "validate", "--config", config, "--ckpt_path", run)
    of_run = ["--config", run / "config.yaml", "--trainer.logger", "false"]
    assert seqlab("validate", *of_run, "--ckpt_path", run) == 0


WRONG = """\
import lightning as L
import torch
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.tokenizers import Tokenizer, WhitespaceTokenizer
from lightning_modules.forcing import ForcingSchedule, Linear
from lightning_modules.layers.attention import Attention, GeneralAttention
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.encoder import Encoder, RecurrentEncoder

class NoScore(Attention): ...

class OneSize(GeneralAttention):
    def __init__(self, size: int) -> None:
        super().__init__(size, size)

class NoSizes(GeneralAttention):
    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()

class OneMore(GeneralAttention):
    def __init__(self, query_size: int, memory_size: int, depth: int) -> None:
        super().__init__(query_size, memory_size)

class FlatWeights(GeneralAttention):
    def forward(self, query, keys, memory, mask):
        context, weights = super().forward(query, keys, memory, mask)
        return context, weights.squeeze(1)

class Fails(GeneralAttention):
    def score(self, query, keys):
        return super().score(query, keys[:, :, 0])

class FewKeys(GeneralAttention):
    def score(self, query):
        return query

class NoForward(Encoder): ...

class NoWidth(RecurrentEncoder):
    def __init__(self) -> None:
        super().__init__(8)

class OneShape(ProjectionBridge):
    def __init__(self, encoder) -> None:
        super().__init__(encoder, encoder)

class NoStep(Decoder):
    def initial_state(self, recurrent): ...
    def forward(self, embedded, memory, state): ...

class NoPairs(ParallelDataModule): ...

class NoWords(WhitespaceTokenizer):
    def __init__(self, path: str = "nowhere.txt") -> None:
        super().__init__()
        open(path)

class NoEncode(Tokenizer):
    def decode(self, ids): ...

class NoRatio(ForcingSchedule): ...

class Late(L.Callback):
    def on_train_start(self, trainer, pl_module):
        pl_module.nothing_such()

class Early(L.Callback):
    def __init__(self) -> None:
        {}["a"]
"""


PLACES = {
    "attention": ATTENTION,
    "encoder": "--model.init_args.encoder",
    "bridge": "--model.init_args.bridge",
    "decoder": "--model.init_args.decoder",
    "data": "--data",
    "tokenizer": "--data.init_args.tokenizer",
    "schedule": "--model.init_args.forcing lightning_modules.forcing.ScheduledSampling "
    "--model.init_args.forcing.init_args.schedule",
    "callback": "--trainer.callbacks+",
}

AT_FIRST = "too many positional arguments"


@pytest.mark.parametrize(
    ("part", "kind", "status", "message"),
    [
        ("attention", "NoScore", 2, " is abstract: it has to define Attention.score(query, keys)"),
        ("attention", "OneSize", 2, f"(size) cannot be made ({AT_FIRST}): LuongDecoder calls its constructor with "
         "(query_size, memory_size); let it begin with these, as that of Attention"),
        ("attention", "NoSizes", 2, ".__init__, {file}, line 19: TypeError: GeneralAttention.__init__() missing 2"),
        ("attention", "OneMore", 2, " needs the argument 'depth': give it among its init_args, or a default"),
        ("attention", "FlatWeights", 2, ".forward returns weights of shape (40, "),
        ("attention", "Fails", 1, ".score, {file}, line 32: IndexError: Dimension out of range"),
        ("attention", "FewKeys", 2, ".score(query) does not take what it is called with (too many positional "
         "arguments): GeneralAttention.score(query, keys)"),
        ("encoder", "NoForward", 2, " is abstract: it has to define Encoder.forward(embedded, lengths)"),
        ("encoder", "NoWidth", 2, f"() cannot be made ({AT_FIRST}): AttentionNMT calls its constructor with (int)"),
        ("bridge", "OneShape", 2, f"(encoder) cannot be made ({AT_FIRST}): AttentionNMT calls its constructor with (S"),
        ("decoder", "NoStep", 2, " is abstract: it has to define Decoder.step(embedded, memory, state, rows)"),
        ("data", "NoPairs", 2, " is abstract: it has to define ParallelDataModule.content(split), Paralle"),
        ("tokenizer", "NoEncode", 2, " is abstract: it has to define Tokenizer.encode(sentence), Tokenizer"),
        ("tokenizer", "NoWords", 2, ".__init__, {file}, line 57: FileNotFoundError: "),
        ("schedule", "NoRatio", 2, " is abstract: it has to define ForcingSchedule.ratio("),
        ("callback", "Late", 1, ".on_train_start, {file}, line 66: AttributeError: 'AttentionNMT' object has"),
        ("callback", "Early", 2, ".__init__, {file}, line 70: KeyError: 'a'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_class(
    part: str, kind: str, status: int, message: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config.parent / "own_wrong.py"
    file.write_text(WRONG)
    capsys.readouterr()
    own = [*PLACES[part].split(), f"own_wrong.{kind}"]
    fit = ["fit", "--config", config, *own, "--trainer.max_epochs", 1, "--trainer.logger", "false"]
    assert seqlab(*fit) == status
    lines = [line for line in capsys.readouterr().err.splitlines() if "seqlab: error:" in line]
    assert len(lines) == 1
    assert f"own_wrong.{kind}{message.format(file=file)}" in lines[0]
    assert not list(config.parent.glob("**/*.ckpt"))


def test_a_study_whose_class_is_not_found_trains_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = config.parent / "own_study.yaml"
    study.write_text(
        f"question: Ours?\nconfigs: [{config}]\npresets: {{quick: {{}}}}\n"
        "metrics: [{name: val/loss, better: lower}]\n"
        f"variants: {{theirs: {{}}, v1.Ours: {{options: {{{ATTENTION[2:]}: own_parts.Own}}}}}}\n"
    )
    assert f"error: {ATTENTION}: own_parts (" in told(capsys, "study", study, "--seeds", 1)
    search = config.parent / "own_search.yaml"
    search.write_text(
        f"experiment: {config}\nmetric: val/loss\nmode: min\n"
        f"parameters: {{{ATTENTION[2:]}: {{choices: [torch.nn.Identity, nowhere.OwnAttention]}}}}\n"
    )
    assert f"error: {ATTENTION}: package nowhere cannot be found" in told(capsys, "tune", "--config", search)
    assert not list(config.parent.glob("**/*.ckpt"))


def test_a_study_trusts_what_its_variants_name(config: Path) -> None:
    study = config.parent / "own_study.yaml"
    study.write_text(
        f"question: Ours?\nconfigs: [{config}]\npresets: {{quick: {{options: {{trainer.max_epochs: 1}}}}}}\n"
        "metrics: [{name: test/loss, better: lower}]\n"
        f"variants: {{ours: {{options: {{{ATTENTION[2:]}: own_parts.OwnAttention}}}}}}\n"
    )
    assert seqlab("study", study, "--seeds", 1) == 0
    results = (config.parent / "studies" / "own_study" / "quick" / "results.csv").read_text()
    assert ",finished," in results
    assert "test --config" in results
