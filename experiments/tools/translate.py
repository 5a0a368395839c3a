"""``seqlab translate``: lines in, lines out, with a checkpoint alone."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datamodules.errors import RunFailed, UserError, suggest
from experiments.tools.parser import ToolParser

if TYPE_CHECKING:
    from experiments.runs.translator import Translator
    from lightning_modules.decoding.hypothesis import Hypothesis
    from lightning_modules.decoding.search import Search

WINDOW_BATCHES = 20
"""Batches that are read at once and sorted by length, so that little is padded."""

_BOM = b"\xef\xbb\xbf"

EPILOG = """\
One line is written for each line that is read, in the same order; an empty line stays an empty line. Lines end at a
newline and nowhere else. With --n_best above 1, each line becomes up to K rows of three columns between tabs: the
line's number from 1, the score, the hypothesis, best first; an empty line becomes one row.

The score is the log-probability over ((5 + length) / 6) ** length_penalty.

--attention writes one JSON object for each hypothesis: "line" (from 1), "source" and "hypothesis" (the pieces, with
</s>), and "attention" (a row of weights over the source's pieces for each piece of the hypothesis).

From a terminal, each line is translated as soon as it is typed, and with --batch_size 1 as soon as it arrives.
An output file appears when it is whole.

examples:
  echo "A dog runs." | seqlab translate --ckpt_path runs/multi30k/1
  seqlab translate --ckpt_path best.ckpt --input test.en --output test.de --attention test.jsonl
"""


@dataclass(frozen=True)
class _Line:
    """One line of the input.

    Attributes:
        number: Counted from 1.
        ids: The source ids and EOS; empty where the line has nothing but white space.
    """

    number: int
    ids: list[int]


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab translate``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, a file cannot be used, the checkpoint cannot, or a line is not UTF-8.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    _check_options(given)
    _check_files(given)
    # Whoever read the output and left has seen enough.
    with contextlib.suppress(BrokenPipeError):
        _translate(given)
    return 0


def _translate(given: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        source = sys.stdin.buffer if given.input is None else stack.enter_context(_open_input(given.input))
        interactive = given.input is None and sys.stdin.isatty()
        translator, search = _prepare(given)
        output = sys.stdout.buffer if given.output is None else stack.enter_context(_open_output(given.output))
        attention = None if given.attention is None else stack.enter_context(_open_output(given.attention))
        if interactive:
            print("one sentence a line; Ctrl-D ends", file=sys.stderr)
        window = 1 if interactive else given.batch_size * (WINDOW_BATCHES if given.batch_size > 1 else 1)
        lines = _read(source, "standard input" if given.input is None else str(given.input), translator)
        for part in _windows(_with_progress(lines, given), window):
            found = _translate_sorted(translator, search, part, given.batch_size, attention is not None)
            if attention is not None:
                _write(attention, b"".join(_attention_rows(translator, part, found)))
            _write(output, b"".join(_output_rows(translator, part, found, given.n_best)))


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab translate",
        description="Translates lines of UTF-8 text with a checkpoint: no config, no data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--ckpt_path", type=Path, required=True, metavar="CKPT", help="a checkpoint, or a run's directory: its best one"
    )
    parser.add_argument("--input", type=Path, metavar="FILE", help="what to translate (default: standard input)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument("--beam_size", type=int, default=5, metavar="N", help="prefixes kept; 1 is greedy (default: 5)")
    parser.add_argument("--n_best", type=int, default=1, metavar="K", help="hypotheses for each line (default: 1)")
    parser.add_argument(
        "--length_penalty", type=float, default=1.0, metavar="P", help="larger favours longer ones (default: 1.0)"
    )
    parser.add_argument(
        "--max_length", type=int, metavar="N", help="most tokens of a hypothesis (default: that of the model's test)"
    )
    parser.add_argument("--batch_size", type=int, default=64, metavar="N", help="lines in a batch (default: 64)")
    parser.add_argument("--attention", type=Path, metavar="FILE.jsonl", help="also write what was attended to")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="a package whose classes the checkpoint may name",
    )
    parser.add_argument("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, mps (default: auto)")
    return parser


def _check_options(given: argparse.Namespace) -> None:
    for name in ("beam_size", "n_best", "batch_size", "max_length"):
        value = getattr(given, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} is {value}: give at least 1")
    if given.n_best > given.beam_size:
        raise UserError(f"--n_best is {given.n_best}, but --beam_size is {given.beam_size}: give no more than the beam")
    if not 0.0 <= given.length_penalty < math.inf:
        raise UserError(f"--length_penalty is {given.length_penalty}: give 0 or more")


def _check_files(given: argparse.Namespace) -> None:
    """Refuses outputs that have no place, or would replace another file of the command."""
    taken: dict[Path, str] = {given.ckpt_path.resolve(): "--ckpt_path"}
    for option, path in (("--output", given.output), ("--attention", given.attention)):
        if path is None:
            continue
        if path.is_dir():
            raise UserError(f"{option} {path} is a directory: give a file in it")
        if not path.resolve().parent.is_dir():
            raise UserError(f"{option} {path}: the directory {path.parent} does not exist, make it first")
        if path.resolve() in taken:
            raise UserError(f"{option} {path} is also {taken[path.resolve()]}: give it a file of its own")
        taken[path.resolve()] = option


def _open_input(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        there = [other.name for other in path.parent.glob("*")]
        hint = suggest(path.name, there) if get_close_matches(path.name, there) else "check the path"
        raise UserError(f"--input {path} does not exist: {hint}") from error
    except OSError as error:
        raise UserError(f"--input {path} cannot be read: {error.strerror}") from error


def _open_output(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    """A file that appears when it is whole; a device or a pipe is written to as it is."""
    from experiments.runs.durable import durable_write

    return _device(path) if path.exists() and not path.is_file() else durable_write(path.resolve())


@contextlib.contextmanager
def _device(path: Path) -> Iterator[BinaryIO]:
    """A device or a pipe, opened as it is."""
    file = path.open("wb")
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # every write was flushed; closing tries a failed one once more
            file.close()


def _prepare(given: argparse.Namespace) -> tuple[Translator, Search]:
    """The translator of the checkpoint, and the search of the options; limits that none gives are the model's own."""
    from experiments.runs.translator import load_translator
    from lightning_modules.decoding.beam import BeamSearch

    translator = load_translator(given.ckpt_path, given.trust, given.device)
    limits = translator.model.test_search
    search = BeamSearch(
        given.beam_size,
        given.length_penalty,
        given.n_best,
        limits.max_length if given.max_length is None else given.max_length,
        limits.max_ratio,
        min(limits.min_length, given.max_length or limits.max_length),
    )
    return translator, search


def _read(source: BinaryIO, name: str, translator: Translator) -> Iterator[_Line]:
    """The lines of a stream, encoded.

    Raises:
        UserError: A line is not UTF-8.
    """
    for number, raw in enumerate(source, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        try:
            sentence = line.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name}, line {number}: byte {error.start + 1} ({line[error.start]:#04x}) is not UTF-8; "
                "convert the text, for example with iconv"
            ) from error
        yield _Line(number, translator.encode(sentence) if sentence.strip() else [])


def _with_progress(lines: Iterable[_Line], given: argparse.Namespace) -> Iterable[_Line]:
    """The same lines, with a progress bar where it disturbs nothing."""
    if given.output is None or not sys.stderr.isatty():
        return lines
    from tqdm import tqdm

    return tqdm(lines, unit=" lines", total=_count_lines(given.input))


def _count_lines(path: Path | None) -> int | None:
    """The lines of a file; None of what can be read only once."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _windows(lines: Iterable[_Line], size: int) -> Iterator[list[_Line]]:
    iterator = iter(lines)
    while window := list(islice(iterator, size)):
        yield window


def _translate_sorted(
    translator: Translator, search: Search, lines: list[_Line], batch_size: int, with_attention: bool
) -> list[list[Hypothesis]]:
    """For each line its hypotheses, best first, translated in batches of similar length; none for an empty line."""
    found: list[list[Hypothesis]] = [[] for _ in lines]
    order = sorted((index for index, line in enumerate(lines) if line.ids), key=lambda index: len(lines[index].ids))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        results = translator.translate([lines[index].ids for index in batch], search, with_attention)
        for index, hypotheses in zip(batch, results, strict=True):
            found[index] = hypotheses
    return found


def _output_rows(
    translator: Translator, lines: list[_Line], found: list[list[Hypothesis]], n_best: int
) -> Iterator[bytes]:
    for line, hypotheses in zip(lines, found, strict=True):
        if n_best == 1:
            yield (_text(translator, hypotheses[0]) if hypotheses else "").encode() + b"\n"
        elif not hypotheses:
            yield f"{line.number}\t0\t\n".encode()
        else:
            for hypothesis in hypotheses:
                yield f"{line.number}\t{hypothesis.score:.4f}\t{_text(translator, hypothesis)}\n".encode()


def _text(translator: Translator, hypothesis: Hypothesis) -> str:
    """A hypothesis in one line, whatever the training text had in it."""
    return translator.target_tokenizer.decode(hypothesis.ids).replace("\n", " ")


def _attention_rows(translator: Translator, lines: list[_Line], found: list[list[Hypothesis]]) -> Iterator[bytes]:
    """JSON objects.

    Raises:
        UserError: The model has no attention.
    """
    from datamodules.batch import EOS

    for line, hypotheses in zip(lines, found, strict=True):
        for hypothesis in hypotheses:
            if hypothesis.attention is None:
                raise UserError("--attention: the model of this checkpoint has none; leave the option out")
            row = {
                "line": line.number,
                "source": translator.source_tokenizer.pieces(line.ids),
                "hypothesis": translator.target_tokenizer.pieces([*hypothesis.ids, EOS]),
                "attention": [[round(weight, 6) for weight in row] for row in hypothesis.attention.tolist()],
            }
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _write(output: BinaryIO, data: bytes) -> None:
    """Writes and flushes.

    Raises:
        BrokenPipeError: Nobody reads the output any more.
        RunFailed: It cannot be written for another reason.
    """
    try:
        output.write(data)
        output.flush()
    except OSError as error:
        if output is sys.stdout.buffer:
            # What is still buffered goes nowhere: the interpreter would try, and complain, once more at its end.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), output.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise RunFailed(f"cannot write the output: {error.strerror}") from error
