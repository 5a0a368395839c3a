"""What is mistyped to a tool is told in one line, with what was probably meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["translate", "--ckpt_path", "x.ckpt", "--beam_sise", "3"],
            "unknown option '--beam_sise': did you mean '--beam",
        ),
        (["translate"], "the following arguments are required: --ckpt_path; seqlab translate --help tells"),
        (["translate", "--ckpt_path", "x.ckpt", "--beam_size", "two"], "invalid int value: 'two'"),
        (["score", "--ckpt_path", "x.ckpt", "--sourse", "x"], "did you mean '--source'"),
        (["average", "a.ckpt", "--output", "x", "--outptu", "y"], "did you mean '--output'"),
        (["fetch", "multi3k"], "multi30k"),
    ],
)
def test_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("seqlab: error: ")
    assert message in line


@pytest.mark.parametrize("tool", ["translate", "score", "average", "quantise", "export", "card", "fetch"])
def test_help(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([tool, "--help"])
    assert ended.value.code == 0
    assert f"usage: seqlab {tool}" in capsys.readouterr().out


def test_onednn_keeps_few_kernels_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "5")
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    assert main(["nonsense"]) == 2
    assert (os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == ("5", "64")


HEAVY = ("lightning", "torchmetrics", "wandb", "matplotlib", "yaml")
"""What translating alone does without: each takes longer to import than a line to translate."""


@pytest.mark.parametrize("words", [["translate"], ["translate", "--trust", "lightning"]])
def test_translating_imports_nothing_heavy_but_where_classes_may_need_it(words: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.ckpt", tiny_checkpoint())
    code = (
        "import sys\nfrom experiments.cli import main\nassert main(sys.argv[1:]) == 0\n"
        f"print(*(name for name in {HEAVY} if sys.modules.get(name)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *words, "--ckpt_path", str(path), "--max_length", "3"],
        input="abc\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip()
    assert ("lightning" in run.stderr.split()) == ("--trust" in words)
    assert words != ["translate"] or not run.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [["configs"], ["study"], ["baseline", "--help"]])
def test_a_reader_that_leaves_is_no_error(words: list[str]) -> None:
    """As ``head -1`` does."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "experiments.cli", *words]
    with os.fdopen(write, "w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
