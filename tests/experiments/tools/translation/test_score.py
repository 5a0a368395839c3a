"""``seqlab score``: what given translations are worth to a checkpoint."""

from __future__ import annotations

import gzip
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datamodules.batch import EOS, SequenceBatch
from experiments.checkpoints.loading import load_ensemble, load_translator
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

SOURCES = ["abc", "hgfedcba", "", "a", "dd ee ff gg hh aa bb", "ffffff"]


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return write(tmp_path / "best.ckpt", tiny_checkpoint())


@pytest.fixture
def run(best: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., list[list[float]]]:
    """Runs ``seqlab score``, and gives the numbers that it writes."""

    def call(*options: str | Path, checkpoint: Path = best) -> list[list[float]]:
        assert main(["score", "--ckpt_path", str(checkpoint), *map(str, options)]) == 0
        rows = capfdbinary.readouterr().out.decode().split("\n")
        assert rows.pop() == ""
        return [[float(column) for column in row.split("\t")] for row in rows]

    return call


@pytest.fixture
def refusal(best: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., str]:
    """Runs the command, which must end with status 2 and one line on standard error."""

    def call(*options: str | Path, status: int = 2) -> str:
        assert main(["score", "--ckpt_path", str(best), *map(str, options)]) == status
        line = capfdbinary.readouterr().err.decode()
        assert line.startswith("seqlab: error: ")
        assert line.count("\n") == 1
        return line

    return call


def lines(path: Path, *texts: str) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def translated(folder: Path, *options: str, checkpoints: tuple[Path, ...]) -> list[list[str]]:
    """The rows of ``seqlab translate --scores`` for the sources."""
    scores = folder / "scores.tsv"
    files = ["--input", lines(folder / "in.txt", *SOURCES), "--output", folder / "out.txt", "--scores", scores]
    assert main(["translate", "--ckpt_path", *map(str, [*checkpoints, *files, *options])]) == 0
    return [row.split("\t") for row in scores.read_text().splitlines()]


@pytest.mark.parametrize(
    "options",
    [
        ["--beam_size", "1"],
        ["--n_best", "5", "--coverage_penalty", "0.3", "--no_repeat_ngram_size", "2"],
        ["--samples", "5", "--temperature", "3"],
    ],
)
def test_ids_of_translate_have_the_log_probability_that_it_reports(
    options: list[str], best: Path, tmp_path: Path, run: Callable[..., list[list[float]]]
) -> None:
    rows = translated(tmp_path, *options, checkpoints=(best,))
    assert {row[0] for row in rows} == set("123456")
    source = lines(tmp_path / "source.txt", *(SOURCES[int(row[0]) - 1] for row in rows))
    target = lines(tmp_path / "target.txt", *(row[4] for row in rows))
    for scored, row in zip(run("--source", source, "--target", target, "--ids"), rows, strict=True):
        assert scored[0] == pytest.approx(float(row[2]), abs=1e-4)
        assert scored[1] == int(row[3])
        assert scored[2] == pytest.approx(math.exp(-scored[0] / max(scored[1], 1)), rel=1e-3)


def test_scores_of_n_best_without_penalty_are_log_probabilities(
    best: Path, tmp_path: Path, run: Callable[..., list[list[float]]]
) -> None:
    rows = translated(tmp_path, "--n_best", "5", "--length_penalty", "0", checkpoints=(best,))
    printed = [row.split("\t") for row in (tmp_path / "out.txt").read_text().splitlines()]
    for (number, score, text), row in zip(printed, rows, strict=True):
        assert (number, float(score)) == (row[0], pytest.approx(float(row[2]), abs=1e-4))
        assert row[1] == row[2]
        assert load_translator(best).target_tokenizer.decode(map(int, row[4].split())) == text


def test_text_that_is_split_otherwise_than_it_was_spelled(
    best: Path, tmp_path: Path, run: Callable[..., list[list[float]]]
) -> None:
    """The unknown token is one id, and its text five characters: text and ids are two targets."""
    translator = load_translator(best)
    ids = translator.target_tokenizer.encode("A✓")
    source = lines(tmp_path / "source.txt", "abc")
    text = lines(tmp_path / "text.txt", translator.target_tokenizer.decode(ids))
    spelled = lines(tmp_path / "ids.txt", " ".join(map(str, ids)))
    ((of_text, tokens, _),), ((of_ids, fewer, _),) = (
        run("--source", source, "--target", text),
        run("--source", source, "--target", spelled, "--ids"),
    )
    assert (tokens, fewer) == (7, 3)
    assert of_text < of_ids
    exact = translator.score([translator.encode("abc")], [ids])[0]
    assert of_ids == pytest.approx(sum(exact), abs=1e-5)


def test_batches_files_and_tables_make_no_difference(
    tmp_path: Path, run: Callable[..., list[list[float]]], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    targets = ["ABC", "H", "", "", "AB CD\u00a0✓", "FFF"]
    source, target = lines(tmp_path / "source.txt", *SOURCES), lines(tmp_path / "target.txt", *targets)
    rows = run("--source", source, "--target", target)
    assert rows[2] == [0.0, 0.0, 1.0]
    assert rows[3][1] == 1, "an empty target is its end alone"
    tsv = lines(tmp_path / "pairs.tsv", *("\t".join(pair) for pair in zip(SOURCES, targets, strict=True)))
    packed = tmp_path / "pairs.tsv.gz"
    packed.write_bytes(gzip.compress(tsv.read_bytes()))
    for options in (["--tsv", tsv], ["--tsv", packed], ["--source", source, "--target", target, "--batch_size", "1"]):
        for row, other in zip(run(*options), rows, strict=True):
            # Told with four decimals or more; of a perplexity of hundreds that is finer than sums in float32 are.
            assert row == pytest.approx(other, rel=1e-6, abs=1e-4)
    output = tmp_path / "scores.tsv"
    assert run("--tsv", tsv, "--output", output) == []
    assert [[float(each) for each in row.split("\t")] for row in output.read_text().splitlines()] == rows


def test_the_totals_are_those_of_the_loss(
    best: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source, target = lines(tmp_path / "source.txt", "abc", "h"), lines(tmp_path / "target.txt", "AB✓", "HGF")
    assert main(["score", "--ckpt_path", str(best), "--source", str(source), "--target", str(target)]) == 0
    told = capfdbinary.readouterr().err.decode()
    translator = load_translator(best)
    pairs = [translator.source_tokenizer.encode(text) for text in ("abc", "h")]
    targets = [translator.target_tokenizer.encode(text) for text in ("AB✓", "HGF")]
    with torch.no_grad():
        _, nll, tokens = translator.members[0].loss(SequenceBatch.from_pairs(pairs, targets, torch.arange(2)))
    warning, told = told.splitlines()
    assert f"{target}, line 1: 1 of 3 tokens (33%) are unknown to the model" in warning
    assert told.startswith(f"2 pairs, {tokens} target tokens, 1 of them unknown to the vocabulary: ")
    assert float(told.split()[-1]) == pytest.approx(math.exp(nll.item() / tokens), rel=1e-4)


def test_an_ensemble_scores_what_it_translates(best: Path, tmp_path: Path) -> None:
    paths = (best, write(tmp_path / "other.ckpt", tiny_checkpoint(seed=1, attention="NoAttention")))
    rows = translated(tmp_path, checkpoints=paths)
    ids = [[int(each) for each in row[4].split()] for row in rows]
    translator = load_ensemble(paths)
    for source, target, row in zip(SOURCES, ids, rows, strict=True):
        if source:
            tokens = translator.score([translator.encode(source)], [target])[0]
            assert sum(tokens) == pytest.approx(float(row[2]), abs=1e-5)
            apart = [load_translator(path).score([translator.encode(source)], [target])[0] for path in paths]
            assert tokens == pytest.approx(
                [math.log(sum(map(math.exp, each)) / 2) for each in zip(*apart, strict=True)], abs=1e-5
            )


def test_what_cannot_be_scored(refusal: Callable[..., str], tmp_path: Path, best: Path) -> None:
    source, target = lines(tmp_path / "source.txt", "abc", "", "a"), lines(tmp_path / "target.txt", "A", "", "B")
    longer = lines(tmp_path / "longer.txt", "A", "", "B", "C")
    filled = lines(tmp_path / "filled.txt", "A", "B", "C")
    broken = tmp_path / "broken.txt"
    broken.write_bytes(b"A\n\nB\xff\n")
    pair = ["--source", source, "--target"]
    assert f"{source} has 3 lines, but {longer} has 4" in refusal(*pair, longer)
    assert f"{source}, line 2: the source is empty, but its target is not" in refusal(*pair, filled)
    assert f"{broken}, line 3: byte 2 (0xff) is not UTF-8" in refusal(*pair, broken, "--strict")
    assert f"{target}, line 1: 'A' is no id: with --ids, give numbers below" in refusal(*pair, target, "--ids")
    for word in (str(EOS), "99", "-1", "²"):
        numbers = lines(tmp_path / "ids.txt", f"5 {word}", "", "5")
        assert f"{numbers}, line 1: '{word}' is no id" in refusal(*pair, numbers, "--ids")
    assert "tabs; give two columns" in refusal("--tsv", source)
    assert "did you mean 'target.txt'?" in refusal(*pair, tmp_path / "targt.txt")
    assert "is also --ckpt_path" in refusal(*pair, target, "--output", best)
    for option, file in (("--source", source), ("--target", target)):
        told = refusal(*pair, target, "--output", file)
        assert f"--output {file} is also {option}: give it a file of its own, or --overwrite" in told
    assert "is also --tsv" in refusal("--tsv", source, "--output", source)
    (tmp_path / "link").symlink_to(target)
    assert "is also --target" in refusal(*pair, tmp_path / "link", "--output", target)
    assert target.read_text() == "A\n\nB\n"
    assert "--batch_size is 0" in refusal(*pair, target, "--batch_size", "0")
    for options in (
        [],
        ["--source", source],
        ["--target", target],
        [*pair, target, "--tsv", source],
        ["--tsv", source, "--target", target],
    ):
        assert "give the pairs as --source FILE and --target FILE, or as --tsv FILE" in refusal(*options)


def test_one_bad_line_does_not_cost_the_others(
    run: Callable[..., list[list[float]]], best: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source, target = tmp_path / "source.txt", tmp_path / "target.txt"
    source.write_bytes(b"abc\nb\xe4\nc\nd\0e\n")
    target.write_bytes(b"A\nB\nC\xff\nD\xe2\x80\xa8E\n")
    clean = [lines(tmp_path / "s", "abc", "d e"), lines(tmp_path / "t", "A", "D E")]
    expected = run("--source", clean[0], "--target", clean[1])
    assert main(["score", "--ckpt_path", str(best), "--source", str(source), "--target", str(target)]) == 0
    output = capfdbinary.readouterr()
    rows = [[float(column) for column in row.split("\t")] for row in output.out.decode().splitlines()]
    assert rows == [expected[0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], expected[1]]
    first, second, _ = output.err.decode().splitlines()
    assert first.startswith(f"seqlab: warning: {source}, line 2: byte 2 (0xe4) is not UTF-8: ")
    assert second.startswith(f"seqlab: warning: {target}, line 3: byte 2 (0xff) is not UTF-8: ")
    tsv = tmp_path / "pairs.tsv"
    tsv.write_bytes(b"abc\tA\n\xff\t\nd e\tD E\n")
    assert run("--tsv", tsv) == [expected[0], [0.0, 0.0, 1.0], expected[1]]
    copy = tmp_path / "copy.txt"
    copy.write_bytes(clean[1].read_bytes())
    assert run("--source", clean[0], "--target", copy, "--output", copy, "--overwrite") == []
    assert [float(row.split("\t")[0]) for row in copy.read_text().splitlines()] == [row[0] for row in expected]


def test_a_target_of_any_length_is_scored_and_told(
    tmp_path: Path, refusal: Callable[..., str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint["hyper_parameters"].update(longest_source=4, longest_target=8)
    path = write(tmp_path / "knows.ckpt", checkpoint)
    longer, source = "ABCD" * 500, lines(tmp_path / "source.txt", "abc", "abcde", "abcdef")
    target = lines(tmp_path / "target.txt", "AB", longer, longer)
    words = ["--source", str(source), "--target", str(target)]
    assert main(["score", "--ckpt_path", str(path), *words]) == 0
    output = capfdbinary.readouterr()
    rows = [row.split("\t") for row in output.out.decode().splitlines()]
    assert [int(row[1]) for row in rows] == [3, 2001, 2001]
    translator = load_translator(path)
    alone = translator.members[0]
    ids = translator.target_tokenizer.encode(longer)
    batch = SequenceBatch.from_pairs([translator.source_tokenizer.encode("abcde")], [ids], torch.zeros(1))
    with torch.no_grad():
        assert float(rows[1][0]) == pytest.approx(-alone.loss(batch)[1].item(), rel=1e-5)
    told = output.err.decode().splitlines()
    assert len(told) == 3
    assert f"{source}, line 2 has 5 tokens, but the longest source of the training had 4" in told[0]
    assert f"{target}, line 2 has 2,000 tokens, but the longest target of the training had 8" in told[1]
    strict = refusal("--ckpt_path", path, *words, "--strict")
    assert f"{source}, line 2 has 5 tokens, but the longest source of the training had 4; split" in strict


def test_no_memory_names_lines_and_lengths(
    refusal: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Translator, "score", fail)
    source, target = lines(tmp_path / "source.txt", "abc", "a"), lines(tmp_path / "target.txt", "A", "BB")
    line = refusal("--source", source, "--target", target, status=1)
    assert "out of memory on 2 pairs at once, the longest source of 4, target of 2 tokens (lines 1, 2): lower" in line


def test_a_reader_that_leaves_early_ends_it_quietly(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Closed(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

        @property
        def buffer(self) -> Closed:
            return Closed()

    monkeypatch.setattr(sys, "stdout", Closed())
    pairs = lines(tmp_path / "pairs.tsv", "abc\tA")
    assert main(["score", "--ckpt_path", str(best), "--tsv", str(pairs)]) == 0
    assert capsys.readouterr().err == ""
