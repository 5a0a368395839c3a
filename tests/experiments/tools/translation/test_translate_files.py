"""``seqlab translate``: files, pipes and bytes; what is read is never lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tools.translation.running import Standard, Told


def test_files_and_attention(run: Callable[..., list[str]], tmp_path: Path) -> None:
    source, target, attention = (tmp_path / name for name in ("in.txt", "out.txt", "attention.jsonl"))
    source.write_bytes(b"hgfedcba\n\nabc\n")
    target.write_text("what was there")
    lines = run(source.read_bytes())
    assert run(b"", "--input", source, "--output", target, "--attention", attention, "--n_best", "1") == [""]
    assert target.read_text().split("\n") == lines
    entries = [json.loads(line) for line in attention.read_text().splitlines()]
    assert [entry["line"] for entry in entries] == [1, 3]
    assert entries[1]["source"] == ["a", "b", "c", "</s>"]
    assert "".join(entries[1]["hypothesis"]) == lines[2] + "</s>"
    for entry in entries:
        weights = torch.tensor(entry["attention"])
        assert weights.shape == (len(entry["hypothesis"]), len(entry["source"]))
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)), atol=1e-4, rtol=0)
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.txt", "attention.jsonl", "best.ckpt"}


def test_files_that_cannot_be_used(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    (tmp_path / "text.en").write_text("abc\n")
    before = best.read_bytes()
    assert "did you mean 'text.en'?" in refusal("--input", tmp_path / "text.em")
    assert "cannot be read: Is a directory" in refusal("--input", tmp_path)
    assert "is a directory" in refusal("--output", tmp_path)
    assert "does not exist, make it first" in refusal("--output", tmp_path / "no" / "out.txt")
    assert "is also --ckpt_path" in refusal("--output", best)
    assert "is also --output" in refusal("--output", tmp_path / "out", "--attention", tmp_path / "out")
    assert best.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["itself", "a symbolic link", "a hard link", "another path"])
def test_an_input_is_never_lost(
    link: str, run: Callable[..., list[str]], refusal: Callable[..., str], tmp_path: Path
) -> None:
    source, other = tmp_path / "in.txt", tmp_path / "link.txt"
    source.write_text("abc\nhgf\n")
    if link == "a symbolic link":
        other.symlink_to(source)
    elif link == "a hard link":
        os.link(source, other)
    else:
        other = source if link == "itself" else tmp_path / ".." / tmp_path.name / "in.txt"
    lines = run(b"", "--input", source)
    for option in ("--output", "--scores", "--attention"):
        line = refusal("--input", source, option, other)
        assert f"{option} {other} is also --input: give it a file of its own, or --overwrite" in line
        assert f"{option} {other} is also --prefix" in refusal("--prefix", source, option, other)
    assert source.read_text() == other.read_text() == "abc\nhgf\n"
    assert run(b"", "--input", source, "--output", other, "--overwrite") == [""]
    assert other.read_text().split("\n") == lines


def test_what_the_shell_opens_is_not_lost_either(
    best: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = tmp_path / "in.txt"
    text.write_text("abc\n")

    def told(descriptor: int, *options: str | Path) -> str:
        opened, before = os.open(text, os.O_RDWR | os.O_APPEND), os.dup(descriptor)
        os.dup2(opened, descriptor)
        try:
            assert main(["translate", "--ckpt_path", str(best), *map(str, options)]) == 2
        finally:
            os.dup2(before, descriptor)
            os.close(before)
            os.close(opened)
        return capfdbinary.readouterr().err.decode()

    assert f"--output {text} is also standard input" in told(0, "--output", text)
    assert "standard output is also --input" in told(1, "--input", text)
    assert "standard output is also --input" in told(1, "--input", text, "--overwrite"), "it would never end"
    assert "standard output is also --scores" in told(1, "--scores", text)
    assert text.read_text() == "abc\n"


def test_a_checkpoint_is_never_replaced(refusal: Callable[..., str], tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir()
    write(checkpoint, tiny_checkpoint())
    before = checkpoint.read_bytes()
    for given in (checkpoint, tmp_path):
        assert "is also --ckpt_path" in refusal("--output", checkpoint, "--overwrite", checkpoint=given)
    assert checkpoint.read_bytes() == before


def test_bytes_that_are_not_utf8(told: Told, run: Callable[..., list[str]], tmp_path: Path) -> None:
    lines, warnings = told(b"abc\nab\xffc\nhgf\n\xff\n")
    assert lines == run(b"abc\n\nhgf\n\n")
    assert len(warnings) == 2
    assert warnings[0].startswith("seqlab: warning: standard input, line 2: byte 3 (0xff) is not UTF-8: ")
    assert "line 4" in warnings[1]
    source, prefix = tmp_path / "in.txt", tmp_path / "prefix.txt"
    source.write_bytes(b"\xe4\nabc\nabc\n")
    prefix.write_bytes(b"A\nB\xff\n\n")
    lines, warnings = told(b"", "--input", source, "--prefix", prefix, "--n_best", "2", "--scores", tmp_path / "scores")
    assert [line.split("\t")[:2] for line in lines[:2]] == [["1", "0"], ["2", "0"]]
    assert [line.split("\t")[0] for line in lines[2:]] == ["3", "3", ""]
    assert (tmp_path / "scores").read_text().startswith("1\t0\t0\t0\t\n2\t0\t0\t0\t\n3\t-")
    assert f"{source}, line 1: byte 1 (0xe4)" in warnings[0]
    assert f"{prefix}, line 2: byte 2 (0xff)" in warnings[1]


def test_bytes_that_are_not_utf8_are_refused_strictly(refusal: Callable[..., str], tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.write_text("what was there")
    line = refusal("--output", output, "--strict", text=b"abc\nab\xffc\n")
    assert "standard input, line 2: byte 3 (0xff) is not UTF-8; convert the text" in line
    source = tmp_path / "in.txt"
    source.write_bytes(b"\xe4\n")
    assert f"{source}, line 1: byte 1 (0xe4)" in refusal("--input", source, "--output", output, "--strict")
    assert output.read_text() == "what was there"


def test_a_reader_that_leaves_early_ends_it_quietly(
    best: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as output:  # noqa: PTH123 - a descriptor, not a path
        monkeypatch.setattr(sys, "stdin", Standard(b"abc\n"))
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["translate", "--ckpt_path", str(best), "--attention", str(tmp_path / "attention.jsonl")]) == 0
        output.flush()  # what the interpreter does at its end
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "attention.jsonl").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output(
    best: Path, refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert "cannot write the output: No space left on device" in refusal(status=1)
        output.flush()
    assert "No space left on device" in refusal("--output", "/dev/full", status=1)
