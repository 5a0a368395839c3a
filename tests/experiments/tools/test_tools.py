"""What is mistyped to a tool is told in one line, with what was probably meant."""

import os

import pytest

from experiments.cli import main


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


@pytest.mark.parametrize("tool", ["translate", "score", "average", "quantise", "fetch"])
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
