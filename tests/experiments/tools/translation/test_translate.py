"""``seqlab translate``: lines in, lines out, with a checkpoint alone."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from experiments.tools.translation import translate
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.hypothesis import Hypothesis
from tests.experiments.tiny_checkpoint import LENGTH_LIMIT
from tests.experiments.tools.translation.running import SENTENCES, Standard, Terminal, Told, alone, changed


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
