"""``seqlab translate``: what its options do, and which do not go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.batch import SPECIAL_PIECES, UNK
from experiments.checkpoints.loading import load_translator
from lightning_modules.decoding.beam import BeamSearch
from tests.experiments.tiny_checkpoint import LENGTH_LIMIT, TARGET_CHARACTERS, tiny_checkpoint, write
from tests.experiments.tools.translation.running import alone


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
