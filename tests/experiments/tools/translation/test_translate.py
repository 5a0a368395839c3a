"""``seqlab translate``: lines in, lines out, with a checkpoint alone."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from datamodules.batch import SPECIAL_PIECES, UNK
from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer
from experiments.checkpoints.loading import choose_device, load_ensemble, load_translator
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from experiments.tools.translation import translate
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.hypothesis import Hypothesis
from tests.experiments.tiny_checkpoint import LENGTH_LIMIT, SOURCE_CHARACTERS, TARGET_CHARACTERS, tiny_checkpoint, write

SENTENCES = [
    "abc",
    "",
    "hgfedcba",
    "   ",
    "a",
    "ü bb\u2028c",
    "dd ee ff gg hh aa bb",
    "c\0c",
    "\u00a0",
    "ffffff",
    "unknown ✓ characters",
]


class Classifier(L.LightningModule):
    """A model that does not translate."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()


class Standard(io.BytesIO):
    """Standard input with these bytes."""

    terminal = False

    @property
    def buffer(self) -> Standard:
        return self

    def isatty(self) -> bool:
        return self.terminal


class Terminal(Standard):
    """Standard input as somebody types it."""

    terminal = True


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return write(tmp_path / "best.ckpt", tiny_checkpoint())


@pytest.fixture
def run(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., list[str]]:
    """Runs the command on a text, and gives the lines that it writes to standard output."""

    def call(text: bytes, *options: str | Path) -> list[str]:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(best), *map(str, options)]) == 0
        return capfdbinary.readouterr().out.decode().split("\n")

    return call


@pytest.fixture
def refusal(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., str]:
    """Runs the command, which must end with status 2 and one line on standard error."""

    def call(*options: str | Path, checkpoint: Path = best, text: bytes = b"abc\n", status: int = 2) -> str:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(checkpoint), *map(str, options)]) == status
        line = capfdbinary.readouterr().err.decode()
        assert line.startswith("seqlab: error: ")
        assert line.count("\n") == 1
        return line

    return call


Told = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture
def told(best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Told:
    """Runs the command as ``run`` does, and gives the lines of what it tells on standard error about its input, too."""

    def call(text: bytes, *options: str | Path) -> tuple[list[str], list[str]]:
        monkeypatch.setattr(sys, "stdin", Standard(text))
        assert main(["translate", "--ckpt_path", str(best), *map(str, options)]) == 0
        found = capfdbinary.readouterr()
        lines = found.err.decode().splitlines()
        assert all(line.startswith("seqlab: warning: ") for line in lines)
        return found.out.decode().split("\n"), [line for line in lines if "limit of length" not in line]

    return call


def alone(translator: Translator, sentence: str, search: BeamSearch) -> list[str]:
    """The hypotheses of a sentence, translated by itself; what ends lines elsewhere is a space."""
    sentence = sentence.replace("\0", " ").replace("\u2028", " ")
    if not sentence.strip():
        return [""]
    found = translator.search_batch([translator.encode(sentence)], search)[0]
    return [translator.target_tokenizer.decode(hypothesis.ids) for hypothesis in found]


def test_lines_that_are_the_same_are_searched_once(
    best: Path, run: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless something else is asked of them, or the search draws."""
    sizes: list[int] = []
    plain = Translator.search_batch

    def counted(self: Translator, sources: list[list[int]], *rest: object) -> list[list[Hypothesis]]:
        sizes.append(len(sources))
        return plain(self, sources, *rest)  # type: ignore[arg-type]  # they are passed on

    monkeypatch.setattr(Translator, "search_batch", counted)
    lines = ["abc", "b", "abc", "hg", "abc", "", "b"]
    text = "".join(f"{line}\n" for line in lines).encode()
    alone = {line: run(f"{line}\n".encode())[0] for line in lines}
    sizes.clear()
    assert run(text)[:-1] == [alone[line] for line in lines]
    assert sizes == [3]
    prefix = tmp_path / "prefix"
    prefix.write_text("A\n\nB\n\nA\n\n\n")
    sizes.clear()
    begun = run(text, "--prefix", prefix)
    assert sizes == [4]
    assert [begun[place][:1] for place in (0, 2, 4)] == ["A", "B", "A"]
    assert begun[1] == begun[6] == alone["b"]
    sizes.clear()
    run(text, "--samples", "1")
    assert sizes == [6]


@pytest.mark.parametrize("character", ["\0", "\u2028", "\u2029"])
def test_what_ends_lines_elsewhere_is_a_space_inside_a_line(
    character: str, run: Callable[..., list[str]], tmp_path: Path
) -> None:
    """No text that a model was trained on has it, and one odd line costs the others nothing."""
    odd, plain = (f"ab{each}cd\n{each}\ngh\n".encode() for each in (character, " "))
    lines = run(odd, "--n_best", "2")
    assert lines == run(plain, "--n_best", "2")
    assert [line.split("\t")[0] for line in lines] == ["1", "1", "2", "3", "3", ""]
    prefix = tmp_path / "prefix"
    forced = []
    for each in (character, " "):
        prefix.write_text(f"AB{each}C\n\n\n", newline="\n")
        forced.append(run(plain, "--prefix", prefix))
    assert forced[0] == forced[1]
    assert forced[0][0].startswith("AB C")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("std::bad_alloc"),
        MemoryError(),
    ],
)
def test_no_memory_names_lines_lengths_and_options(
    error: Exception, refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: object) -> None:
        raise error

    monkeypatch.setattr(Translator, "search_batch", fail)
    line = refusal("--batch_size", "2", text=b"a\nabcd\nabc\n", status=1)
    assert (
        "out of memory on 2 lines at once, the longest of 4 tokens (lines 1, 3): lower --batch_size, which is 2" in line
    )


def test_it_tells_how_long_it_took(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "stdin", Standard(b"abc\n\nab\n"))
    started = time.perf_counter()
    assert main(["translate", "--ckpt_path", str(best), "--report_time"]) == 0
    passed = time.perf_counter() - started
    told = capfdbinary.readouterr().err.decode()
    found = re.search(r"^3 lines in ([\d.]+) seconds, ([\d,.]+) a second$", told, re.MULTILINE)
    assert found, told
    seconds, speed = (float(each.replace(",", "")) for each in found.groups())
    assert 0 < seconds < passed
    assert speed == pytest.approx(3 / seconds, rel=0.3)


def test_what_was_cut_is_told(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Forty tokens are more than the model's own limit; two are few, and so is the ratio."""

    def told(*options: str) -> tuple[list[int], str]:
        monkeypatch.setattr(sys, "stdin", Standard(b"abc\n\nhgfedcba\n"))
        assert main(["translate", "--ckpt_path", str(best), "--beam_size", "1", *options]) == 0
        out, err = capfdbinary.readouterr()
        return list(map(len, out.decode().split("\n")[:-1])), err.decode()

    lengths, warning = told("--max_length", "2")
    assert lengths == [2, 0, 2]
    assert warning == (
        "seqlab: warning: hypotheses of 2 of 3 lines end at the limit of length, where the model would have gone on "
        "(the first of line 1): --max_length N gives them more room\n"
    )
    assert max(told()[0]) == LENGTH_LIMIT, "the limit of the model's own test"
    assert max(told("--max_length", "40")[0]) > LENGTH_LIMIT, "lifted"
    assert told("--max_ratio", "0.1")[0] == [10, 0, 10]
    assert told("--max_length", "5", "--max_ratio", "0.1")[0] == [5, 0, 5]


@pytest.mark.parametrize("batch_size", ["1", "2", "64"])
def test_a_line_for_each_line_in_order(run: Callable[..., list[str]], best: Path, batch_size: str) -> None:
    text = "\n".join(SENTENCES).encode() + b"\n"
    lines = run(text, "--batch_size", batch_size)
    translator = load_translator(best)
    expected = [alone(translator, each, BeamSearch(max_length=LENGTH_LIMIT))[0] for each in SENTENCES]
    assert lines == [*expected, ""]
    assert len(set(lines)) > len(SENTENCES) // 2


def test_windows_line_ends_a_byte_order_mark_and_no_last_newline(run: Callable[..., list[str]]) -> None:
    assert run(b"\xef\xbb\xbfabc\r\n\r\nhgfedcba") == run(b"abc\n\nhgfedcba\n")
    assert run(b"") == [""]


def test_lines_beyond_one_window_stay_in_order(run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("\n".join(SENTENCES).encode())
    monkeypatch.setattr(translate, "WINDOW_BATCHES", 2)
    assert run("\n".join(SENTENCES).encode(), "--batch_size", "2") == whole


def test_options_reach_the_search(run: Callable[..., list[str]], best: Path) -> None:
    search = BeamSearch(beam_size=4, n_best=3, length_penalty=0.2, max_length=3)
    translator = load_translator(best)
    options = ["--beam_size", "4", "--n_best", "3", "--length_penalty", "0.2", "--max_length", "3"]
    rows = [line.split("\t") for line in run(b"abc\n\nhgfedcba\n", *options)[:-1]]
    assert [row[0] for row in rows] == ["1"] * 3 + ["2"] + ["3"] * 3
    assert [row[2] for row in rows if row[0] == "1"] == alone(translator, "abc", search)
    assert [row[2] for row in rows if row[0] == "3"] == alone(translator, "hgfedcba", search)
    assert rows[3] == ["2", "0", ""]
    scores = [float(row[1]) for row in rows if row[0] == "1"]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] < 0


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


def test_a_terminal_gets_each_line_as_it_is_typed(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    printed = []

    class Typing(Terminal):
        def __next__(self) -> bytes:
            printed.append(capfdbinary.readouterr().out.count(b"\n"))
            return super().__next__()

    monkeypatch.setattr(sys, "stdin", Typing(b"abc\n\nhgf\n"))
    assert main(["translate", "--ckpt_path", str(best)]) == 0
    assert printed == [0, 1, 1, 1]


def test_a_run_directory_means_its_best_checkpoint(best: Path, run: Callable[..., list[str]]) -> None:
    checkpoints = best.parent / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    write(checkpoints / "last.ckpt", tiny_checkpoint(seed=1))
    last = run(b"abc\nhgfedcba\n", "--ckpt_path", checkpoints.parent)
    write(checkpoints / "best.ckpt", tiny_checkpoint(seed=0))
    assert run(b"abc\nhgfedcba\n", "--ckpt_path", checkpoints.parent) == run(b"abc\nhgfedcba\n") != last


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--beam_size", "0"], "--beam_size is 0: give at least 1"),
        (
            ["--n_best", "6"],
            "--n_best is 6, but a beam of 5 finds 5 at most: raise beam_size to 6 or lower n_best to 5",
        ),
        (["--n_best", "0"], "--n_best is 0"),
        (["--max_length", "0"], "--max_length is 0"),
        (["--batch_size", "-1"], "--batch_size is -1"),
        (["--length_penalty", "-0.5"], "--length_penalty is -0.5"),
        (["--length_penalty", "nan"], "--length_penalty is nan"),
        (["--coverage_penalty", "-1"], "--coverage_penalty is -1.0: give 0 or more"),
        (["--no_repeat_ngram_size", "-1"], "--no_repeat_ngram_size is -1: give 1 or more"),
        (["--samples", "0"], "--samples is 0: give at least 1"),
        (["--temperature", "0"], "--temperature is 0.0: give more than 0"),
        (["--samples", "2", "--temperature", "inf"], "--temperature is inf"),
        (["--samples", "2", "--top_k", "-2"], "--top_k is -2"),
        (["--top_p", "0"], "--top_p is 0.0: give a probability above 0 and up to 1"),
        (["--samples", "2", "--top_p", "1.01"], "--top_p is 1.01"),
        (["--samples", "2", "--seed", "-1"], "--seed is -1"),
        (["--temperature", "0.5"], "--temperature is for sampling: add --samples 1"),
        (["--seed", "3"], "--seed is for sampling"),
        (["--groups", "4"], "--groups is 4, which does not divide beam_size, 6"),
        (["--groups", "2", "--coverage_penalty", "1"], "--coverage_penalty is for plain beam search"),
        (["--samples", "2", "--diversity", "1"], "--diversity is for beam search, but --samples draws in its place"),
        (["--terms", "terms.tsv", "--samples", "2"], "--terms are for plain beam search"),
        (["--mbr", "chrf"], "--mbr chooses among several hypotheses: add --n_best K or --samples K"),
        (["--mbr", "rouge", "--n_best", "2"], "--mbr: invalid choice: 'rouge'"),
        (["--samples", "2", "--n_best", "2"], "--n_best is for beam search, but --samples draws in its place"),
    ],
)
def test_an_option_out_of_range_is_told_before_anything_is_loaded(
    refusal: Callable[..., str], tmp_path: Path, options: list[str], expected: str
) -> None:
    assert expected in refusal(*options, checkpoint=tmp_path / "missing.ckpt")


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


def test_devices_are_shared(run: Callable[..., list[str]]) -> None:
    assert run(b"abc\n", "--output", "/dev/null", "--scores", "/dev/null", "--attention", "/dev/null") == [""]


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


def test_a_service_goes_on_after_a_line_that_is_no_text(
    best: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What is answered before the next line is asked for."""
    answers: list[tuple[int, int]] = []

    class Asking(Standard):
        def __next__(self) -> bytes:
            found = capfdbinary.readouterr()
            answers.append((found.out.count(b"\n"), found.err.count(b"\n")))
            return super().__next__()

    monkeypatch.setattr(sys, "stdin", Asking(b"abc\ncaf\xe9\nhgf\n"))
    assert main(["translate", "--ckpt_path", str(best), "--batch_size", "1", "--max_length", "3"]) == 0
    assert answers == [(0, 0), (1, 0), (1, 1), (1, 0)]


def test_lines_unlike_those_of_the_training_are_told_once_for_each_kind(
    told: Told, refusal: Callable[..., str], run: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = changed(tmp_path / "knows.ckpt", lambda made: made["hyper_parameters"].update(longest_source=6))
    text = "abcdef\nabc def\nabc✓\n✓✓\nabcdefgh\nabcdefgh✓\n".encode()
    lines, warnings = told(text, "--ckpt_path", path)
    assert lines == run(text), "all are translated"
    assert len(warnings) == 2
    assert "standard input, line 2 has 7 tokens, but the longest source of the training had 6" in warnings[0]
    assert "standard input, line 3: 1 of 4 tokens (25%) are unknown to the model" in warnings[1]
    assert told(b"abcdef\nabcdefgh\nabcdefgh\n")[1] == [], "a checkpoint that does not know lengths says nothing"
    strict = ["--ckpt_path", path, "--strict"]
    assert "line 2 has 7 tokens, but the longest source of the training had 6; split" in refusal(*strict, text=text)
    assert "line 1: 2 of 2 tokens (100%)" in refusal(*strict, text="✓✓\n".encode())
    assert told(b"abcdef\n\n", *strict)[1] == []
    assert told("abcde✓\n".encode())[1] == [], "one of many is no reason to doubt"
    prefix = tmp_path / "prefix.txt"
    prefix.write_text("✓\n")
    assert f"{prefix}, line 1: 1 of 1 tokens (100%)" in told(b"abc\n", "--prefix", prefix)[1][0]


def test_an_ensemble_knows_what_its_least_trained_member_does(told: Told, tmp_path: Path, best: Path) -> None:
    paths = [
        changed(tmp_path / f"{longest}.ckpt", lambda made, n=longest: made["hyper_parameters"].update(longest_source=n))
        for longest in (8, 4)
    ]
    assert "longest source of the training had 4" in told(b"abcde\n", "--ckpt_path", best, *paths)[1][0]


def test_a_model_without_attention(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = write(tmp_path / "none.ckpt", tiny_checkpoint(attention="NoAttention"))
    assert "has none" in refusal("--attention", tmp_path / "a.jsonl", checkpoint=path)
    assert not (tmp_path / "a.jsonl").exists()


def test_a_search_that_does_not_fit_the_checkpoint(refusal: Callable[..., str], tmp_path: Path) -> None:
    size = len(SPECIAL_PIECES) + len(TARGET_CHARACTERS)
    assert f"--beam_size is 99, but the target vocabulary has {size} tokens" in refusal("--beam_size", "99")
    assert f"--top_k is 99, but the target vocabulary has {size} tokens" in refusal("--samples", "1", "--top_k", "99")
    path = write(tmp_path / "none.ckpt", tiny_checkpoint(attention="NoAttention"))
    line = refusal("--coverage_penalty", "0.2", "--output", tmp_path / "out", checkpoint=path)
    assert "coverage_penalty is 0.2, but the model has no attention" in line
    assert not (tmp_path / "out").exists()


def test_samples(run: Callable[..., list[str]], best: Path) -> None:
    options = ["--samples", "4", "--temperature", "2", "--top_p", "0.9"]
    drawn = run(b"abc\n\nhgf\n", *options)
    rows = [line.split("\t") for line in drawn[:-1]]
    assert [row[0] for row in rows] == ["1"] * 4 + ["2"] + ["3"] * 4
    assert len({row[2] for row in rows}) > 3
    assert run(b"abc\n\nhgf\n", *options) == run(b"abc\n\nhgf\n", *options, "--seed", "0") == drawn
    assert run(b"abc\n\nhgf\n", *options, "--seed", "1") != drawn
    greedy = run(b"abc\nhgf\n", "--beam_size", "1")
    assert run(b"abc\nhgf\n", "--samples", "1", "--top_k", "1") == greedy


def test_terms_are_there(run: Callable[..., list[str]], refusal: Callable[..., str], tmp_path: Path) -> None:
    terms, prefixes = tmp_path / "terms.tsv", tmp_path / "prefixes"
    terms.write_text("CAB\tFF\n\n\nH\n")
    prefixes.write_text("\n\nBA\nG\n")
    plain = run(b"abc\n\nhgf\nabc\n", "--prefix", str(prefixes))
    found = run(b"abc\n\nhgf\nabc\n", "--terms", str(terms), "--prefix", str(prefixes))
    assert "CAB" in found[0]
    assert "FF" in found[0]
    assert "CAB" not in plain[0] or "FF" not in plain[0], "unasked, the model does not say them"
    assert found[1:3] == plain[1:3]
    assert found[3].startswith("G")
    assert "H" in found[3]
    told = refusal("--terms", str(terms), "--max_length", "4", text=b"abc\n\n\nabc\n")
    assert "the --terms of line 1 have 5 tokens, with those of its --prefix, but a hypothesis at most 4" in told
    terms.write_text("A\nB\nC\n")
    assert "goes on: --terms needs a line for each line of the input" in refusal("--terms", str(terms), text=b"abc\n")
    assert "line 2 is empty, but its --terms are not" in refusal("--terms", str(terms), text=b"abc\n\nabc\n")
    terms.write_text("A\tAЖ\n")
    told = refusal("--terms", str(terms), text=b"abc\n")
    assert "terms.tsv, line 1: the model's vocabulary cannot spell the term 'AЖ'" in told


@pytest.mark.parametrize("several", [["--samples", "9"], ["--n_best", "5"]])
def test_least_risk_is_one_of_several(run: Callable[..., list[str]], tmp_path: Path, several: list[str]) -> None:
    rows = [line.split("\t") for line in run(b"abc\n\nhgf\n", *several)[:-1]]
    scores = tmp_path / "scores.tsv"
    chosen = run(b"abc\n\nhgf\n", *several, "--mbr", "chrf", "--scores", str(scores))
    assert len(chosen) == 4
    assert chosen[1] == ""
    for line, text in ((1, chosen[0]), (3, chosen[2])):
        assert text in {row[2] for row in rows if row[0] == str(line)}
    told = [row.split("\t") for row in scores.read_text().splitlines()]
    assert [row[0] for row in told if len(row) > 3 and row[4]] == ["1", "3"]
    assert all(0 <= float(row[1]) <= 100 for row in told)


def test_prefixes(run: Callable[..., list[str]], best: Path, tmp_path: Path) -> None:
    prefixes = tmp_path / "prefixes.txt"
    prefixes.write_bytes(b"HEG\n\n \nAA BB CC DD\r\n")
    text, plain = b"abc\n\nhgf\na\n", run(b"abc\n\nhgf\na\n")
    for options in (["--beam_size", "1"], [], ["--samples", "1"], ["--batch_size", "1"]):
        lines = run(text, "--prefix", prefixes, *options)
        assert lines[0].startswith("HEG")
        assert lines[1] == ""
        assert lines[3].startswith("AA BB CC DD")
        if options in ([], ["--batch_size", "1"]):
            assert lines[2] == plain[2], "nothing is forced by an empty line"


def test_no_repeated_ngrams(run: Callable[..., list[str]]) -> None:
    repeated, once = run(b"abc\n")[0], run(b"abc\n", "--no_repeat_ngram_size", "1")[0]
    assert len(set(repeated)) < len(repeated)
    assert len(set(once)) == len(once)


def test_the_unknown_token_is_written_where_it_is_asked_for(best: Path, run: Callable[..., list[str]]) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["state_dict"]["output.bias"][UNK] += 20.0
    write(best, checkpoint)
    for options in (["--beam_size", "1"], [], ["--samples", "2"], ["--ckpt_path", best, best]):
        assert "<unk>" not in "".join(run(b"abc\nhgf\n", *options))
        assert "<unk>" in "".join(run(b"abc\nhgf\n", *options, "--allow_unknown"))


def test_prefixes_that_do_not_fit(refusal: Callable[..., str], tmp_path: Path) -> None:
    prefixes, output = tmp_path / "prefixes.txt", tmp_path / "out.txt"

    def told(text: bytes, forced: bytes) -> str:
        prefixes.write_bytes(forced)
        line = refusal("--prefix", prefixes, "--output", output, text=text)
        assert not output.exists()
        return line

    assert f"standard input ends after 1 lines, but {prefixes} goes on" in told(b"abc\n", b"A\n\n")
    assert f"{prefixes} ends after 1 lines, but standard input goes on" in told(b"abc\nabc\n", b"A\n")
    assert "line 2 is empty, but its --prefix is not" in told(b"abc\n \n", b"\nA\n")
    assert f"the --prefix of line 1 has 13 tokens, but a hypothesis at most {LENGTH_LIMIT}" in told(b"abc\n", b"A" * 13)
    prefixes.write_bytes(b"A\xff\n")
    strict = refusal("--prefix", prefixes, "--strict", text=b"abc\n")
    assert f"{prefixes}, line 1: byte 2 (0xff) is not UTF-8" in strict
    assert "--output" in refusal("--prefix", prefixes, "--output", prefixes)
    assert "did you mean 'prefixes.txt'?" in refusal("--prefix", tmp_path / "prefix.txt")


def test_an_ensemble(run: Callable[..., list[str]], best: Path, tmp_path: Path) -> None:
    others = [
        write(tmp_path / "other.ckpt", tiny_checkpoint(seed=1, attention="BahdanauAttention")),
        write(tmp_path / "third.ckpt", tiny_checkpoint(seed=2, attention="NoAttention")),
    ]
    text, paths = "\n".join(SENTENCES).encode() + b"\n", ["--ckpt_path", best, *others]
    together = run(text, *paths, "--beam_size", "3")
    translator = load_ensemble([best, *others])
    assert together == [*(alone(translator, each, BeamSearch(3, max_length=LENGTH_LIMIT))[0] for each in SENTENCES), ""]
    assert all(together != run(text, "--ckpt_path", path, "--beam_size", "3") for path in (best, *others))
    run(b"abc\n", *paths, "--attention", tmp_path / "a.jsonl")
    assert len(json.loads((tmp_path / "a.jsonl").read_text())["attention"][0]) == len("abc") + 1


def test_an_ensemble_of_unlike_vocabularies(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    tokenizer = CharacterTokenizer()
    tokenizer.train([TARGET_CHARACTERS.replace("A", "X")])
    for side in ("source", "target"):
        path = changed(
            tmp_path / "unlike.ckpt",
            lambda made, side=side: made["TranslationDataModule"].update({f"{side}_tokenizer": tokenizer.describe()}),
        )
        assert f"{best} and {path} have unlike {side} vocabularies" in refusal("--ckpt_path", best, path)


def test_a_device_that_is_not_there(refusal: Callable[..., str]) -> None:
    assert "there is no device 'gpu'" in refusal("--device", "gpu")
    assert "there is no device 'cuda:99'" in refusal("--device", "cuda:99")
    assert choose_device("cpu").type == "cpu"


def test_checkpoints_that_cannot_be_read(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    assert "did you mean 'best.ckpt'?" in refusal(checkpoint=tmp_path / "bast.ckpt")
    half = tmp_path / "half.ckpt"
    half.write_bytes(best.read_bytes()[:5000])
    assert "truncated or damaged" in refusal(checkpoint=half)
    assert "without best.ckpt or last.ckpt" in refusal(checkpoint=tmp_path.parent)


def test_a_directory_of_runs_names_them(
    refusal: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for version, name, written in (("1", "last", 200), ("2", "best", 100), ("new run", "epoch=3", 300)):
        checkpoints = Path("runs") / "products" / version / "checkpoints"
        checkpoints.mkdir(parents=True)
        path = write(checkpoints / f"{name}.ckpt", tiny_checkpoint())
        os.utime(path, (written, written))
    runs = "'runs/products/new run', runs/products/1, runs/products/2"
    for directory in ("runs/products", "runs"):
        line = refusal(checkpoint=Path(directory))
        assert f"{directory} is a directory without best.ckpt or last.ckpt: give one of its runs, {runs}\n" in line
    assert f"no checkpoint runs/products/3; there are the runs {runs}\n" in refusal(checkpoint=Path("runs/products/3"))
    told = refusal(checkpoint=Path("runs/product/1"))
    assert "the directory runs/product does not exist, did you mean runs/products?" in told
    told = refusal(checkpoint=Path("runs/products/new run"))
    assert "give a file of 'runs/products/new run/checkpoints': epoch=3.ckpt" in told


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    checkpoint = tiny_checkpoint()
    change(checkpoint)
    return write(path, checkpoint)


def test_checkpoints_of_something_else(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"

    def told(change: Callable[[dict[str, Any]], object], *options: str) -> str:
        line = refusal(*options, checkpoint=changed(path, change))
        assert str(path) in line
        return line

    classifier = f"{__name__}.Classifier"
    assert f"add --trust {__name__.partition('.')[0]}" in told(
        lambda made: made["hyper_parameters"].update(_class_path=classifier)
    )
    assert f"is a checkpoint of {classifier}, which does not translate" in told(
        lambda made: made.update(hyper_parameters={"_class_path": classifier, "classes": 3}), "--trust", "tests"
    )
    assert "does not say which model" in told(lambda made: made.pop("hyper_parameters"))
    assert "has no tokenizers" in told(lambda made: made.pop("TranslationDataModule"))
    assert "damaged state" in told(
        lambda made: made["TranslationDataModule"]["target_tokenizer"]["state"].update(trained={})
    )
    assert "widht: unknown" in told(lambda made: made["hyper_parameters"].update(widht=3))
    assert "embedding_size: 'x' is no int" in told(lambda made: made["hyper_parameters"].update(embedding_size="x"))
    assert "encoder: cell: 'lsmt' is none of 'lstm', 'gru'" in told(
        lambda made: made["hyper_parameters"]["encoder"]["init_args"].update(cell="lsmt")
    )


def test_weights_that_do_not_fit(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = changed(tmp_path / "wide.ckpt", lambda made: made["hyper_parameters"].update(embedding_size=7))
    line = refusal(checkpoint=path)
    assert str(path) in line
    assert re.search(r"has shape \((.+)\) in the checkpoint and (?!\(\1\))\(.+\) in this model", line)
    path = changed(tmp_path / "less.ckpt", lambda made: made["state_dict"].pop("output.bias"))
    assert "output.bias" in refusal(checkpoint=path)


def test_a_joint_vocabulary(tmp_path: Path) -> None:
    path = changed(tmp_path / "joint.ckpt", lambda made: made["TranslationDataModule"].update(target_tokenizer=None))
    translator = load_translator(path)
    assert translator.target_tokenizer is translator.source_tokenizer
    assert translator.source_tokenizer.decode(translator.encode(SOURCE_CHARACTERS)) == SOURCE_CHARACTERS


def test_a_translator_is_ready_to_use(best: Path) -> None:
    translator = load_translator(best)
    (model,) = translator.members
    assert not model.training
    torch.testing.assert_close(dict(model.state_dict()), tiny_checkpoint()["state_dict"], rtol=0, atol=0)
    with pytest.raises(UserError, match="there is no device"):
        load_translator(best, device="nowhere")


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
