"""Whether code can be parsed: by the language itself, as a part of a statement too, and without running any of it."""

from __future__ import annotations

import gzip
import os
import warnings
from pathlib import Path

import pytest

from datamodules.errors import UserError
from experiments.cli import main
from experiments.metrics.code import ParseRate, ParsesAsBash, ParsesAsPython


@pytest.fixture(scope="module")
def bash() -> ParsesAsBash:
    return ParsesAsBash()


PYTHON = {
    "x = f(1)": True,
    "    if x :": True,
    "elif not x:": True,
    "else :": True,
    "else: return 1": True,
    "try :": True,
    "except E as e :": True,
    "finally:": True,
    "for i, x in y : pass": True,
    "with open(x) as {}:": False,
    "@ property": True,
    "@x.setter": True,
    "def f(self, *args) :": True,
    "class A ( B ):": True,
    "return x": True,
    "yield": True,
    "break": True,
    "elsewhere = {}": True,
    "tried = '{}'": True,
    r"'\d'": True,
    '"""Words."""': True,
    "if x": False,
    "x = (": False,
    "x :=": False,
    "print x": False,
    "def f(:": False,
    "x = <unk>": False,
    "": False,
    "  ": False,
    "# words": False,
    "x = '\0'": False,
    "(" * 100_000: False,
    "-" * 100_000 + "1": False,
}


@pytest.mark.parametrize(("line", "parses"), PYTHON.items(), ids=lambda value: str(value)[:20])
def test_a_line_of_python(line: str, parses: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ParsesAsPython().parses(line) == parses


BASH = {
    "find . -name '*.c' | xargs wc -l": True,
    'for f in *; do echo "$f"; done': True,
    "if true; then ls; fi": True,
    "echo Füße": True,
    "if true; then ls": False,
    "find . ( -name a )": False,
    "echo 'open": False,
    "ls | | wc": False,
    "cat <file": True,
    "cat <": False,
    "": False,
    " ": False,
}


@pytest.mark.parametrize(("command", "parses"), BASH.items())
def test_a_command_of_bash(bash: ParsesAsBash, command: str, parses: bool) -> None:
    assert bash.parses(command) == parses


def test_no_command_is_run(bash: ParsesAsBash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the command, nor what stands in it, nor what the environment would have bash read first."""
    made = tmp_path / "made"
    run_first = tmp_path / "run_first"
    run_first.write_text(f"touch {made}\n")
    monkeypatch.setenv("BASH_ENV", str(run_first))
    monkeypatch.setenv("ENV", str(run_first))
    for command in (
        f"touch {made}",
        f"echo $(touch {made}) `touch {made}`",
        f"set +n; touch {made}",
        f"x[$(touch {made})]=1; (( x[$(touch {made})] ))",
        f"source {run_first}; . {run_first}; eval 'touch {made}'",
        f"trap 'touch {made}' EXIT DEBUG; cat <(touch {made})",
        f"cat <<END\n$(touch {made})\nEND",
        f"exec bash -c 'touch {made}'",
        f"alias ls='touch {made}'; ls",
    ):
        assert bash.parses(command)
        assert not made.exists()


def test_bash_is_given_so_much_time_alone(bash: ParsesAsBash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bash, "_command", ["sleep", "60"])
    monkeypatch.setattr("experiments.metrics.code._LONGEST_CHECK", 0.05)
    assert not bash.parses("ls")


def test_without_bash_a_training_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="ParsesAsBash needs bash, which is not found on the PATH: install it"):
        ParsesAsBash()
    options = ["--trainer.callbacks", "[{class_path: TextMetrics, init_args: {metrics: [ParsesAsBash]}}]"]
    options += ["--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", "configs/code/sample.yaml", *options]) == 2
    told = capfd.readouterr().err
    assert "ParsesAsBash needs bash" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("metric", "good", "bad"), [(ParsesAsPython, "x = 1", "x = ("), (ParsesAsBash, "ls", "ls (")])
def test_the_share_of_hypotheses(metric: type[ParseRate], good: str, bad: str) -> None:
    made = metric()
    counts = [made.counts(line, reference) for line, reference in ((good, bad), (bad, good), (good, good), (good, ""))]
    assert made.value([sum(each) for each in zip(*counts, strict=True)]) == 0.75


def gold(name: str) -> list[str]:
    path = Path(os.environ.get("SEQLAB_DATA", "data")) / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_nearly_all_gold_lines_parse(bash: ParsesAsBash) -> None:
    python = ParsesAsPython()
    assert [line for line in gold("django/all.code.gz")[::5] if not python.parses(line)] == []
    commands = [line.split("\t")[1] for line in gold("nl2bash/test.tsv.gz")[::10]]
    assert sum(map(bash.parses, commands)) / len(commands) > 0.95
