"""``seqlab shortlist``, and translating with what it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.batch import EOS
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.shortlist_file import read_shortlist
from experiments.cli import main
from lightning_modules.nmt import AttentionNMT
from tests.experiments.tiny_checkpoint import SOURCE_CHARACTERS, TARGET_CHARACTERS, tiny_checkpoint, write

PAIRS = [
    ("abc", "ABC"),
    ("hgf", "HGF"),
    ("a b", "A B"),
    ("", ""),
    ("dd ee", "DD EE"),
    (SOURCE_CHARACTERS, TARGET_CHARACTERS),
]


@pytest.fixture
def best(tmp_path: Path) -> Path:
    return write(tmp_path / "best.ckpt", tiny_checkpoint())


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    return path


def shortlist(best: Path, pairs: Path, *options: str) -> Path:
    output = best.parent / "short.npz"
    words = ["shortlist", "--ckpt_path", str(best), "--tsv", str(pairs), "--output", str(output), *options]
    assert main(words) == 0
    return output


def translated(best: Path, *options: str) -> list[str]:
    source, output = best.parent / "in.txt", best.parent / "out.txt"
    source.write_text("abc\nhgf\n\na dd\n", encoding="utf-8")
    words = ["--input", str(source), "--output", str(output), "--overwrite", *options]
    assert main(["translate", "--ckpt_path", str(best), *words]) == 0
    return output.read_text(encoding="utf-8").split("\n")


def test_it_counts_what_the_attention_gives(best: Path, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the model stepped pair by pair, in whatever batches."""
    path = shortlist(best, pairs, "--best", "3", "--frequent", "2", "--batch_size", "2")
    assert f"{path}: " in capsys.readouterr().out
    translator = load_translator(best)
    own = {}
    for source, target in PAIRS:
        ids, wanted = translator.encode(source), translator.target_tokenizer.encode(target)
        if not source:
            continue
        (hypothesis,) = translator.search_batch([ids], translator.greedy_search(), True, [wanted])[0]
        assert hypothesis.attention is not None
        for row, token in enumerate([*wanted, EOS]):  # of a forced beginning, and of what comes after it
            for column, symbol in enumerate(ids):
                own[symbol, token] = own.get((symbol, token), 0.0) + hypothesis.attention[row, column].item()
    found = read_shortlist(path, translator)
    for symbol in {symbol for symbol, _ in own}:
        ranked = sorted((token for each, token in own if each == symbol), key=lambda token: -own[symbol, token])
        assert found.targets[found.offsets[symbol] : found.offsets[symbol + 1]].tolist() == ranked[:3]
    assert len(found.frequent) == 2


def test_of_every_symbol_it_changes_nothing(best: Path, pairs: Path) -> None:
    everything = shortlist(best, pairs, "--best", "100", "--frequent", "100")
    terms = best.parent / "terms.tsv"
    terms.write_text("B\tCC\n\n\nA\n", encoding="utf-8")
    for options in ([], ["--n_best", "3"], ["--terms", str(terms)], ["--beam_size", "1"]):
        found = translated(best, *options, "--shortlist", str(everything))
        wanted = translated(best, *options)
        assert [line.split("\t")[-1] for line in found] == [line.split("\t")[-1] for line in wanted]
        assert len(set(found)) > 3


def test_what_is_written_is_of_the_shortlist(best: Path, pairs: Path) -> None:
    path = shortlist(best, pairs, "--best", "1", "--frequent", "1")
    found = read_shortlist(path, translator := load_translator(best))
    for source, line in zip(
        ("abc", "hgf"), translated(best, "--shortlist", str(path), "--batch_size", "1"), strict=False
    ):
        written = set(translator.target_tokenizer.encode(line))
        assert written <= set(found.ids([translator.encode(source)]).tolist())
    terms = best.parent / "terms.tsv"
    terms.write_text("ÜH\nÜH\n\n\n", encoding="utf-8")
    for line in translated(best, "--shortlist", str(path), "--terms", str(terms))[:2]:
        assert "ÜH" in line, "what is asked for is there, in the shortlist or not"


def test_an_output_does_not_replace_the_shortlist(best: Path, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shortlist(best, pairs)
    before = path.read_bytes()
    words = ["translate", "--ckpt_path", best, "--input", pairs, "--shortlist", path, "--output", path]
    capsys.readouterr()
    assert "--shortlist" in refused(capsys, *words)
    assert path.read_bytes() == before


def test_a_batch_that_does_not_fit_is_told(
    best: Path, pairs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(AttentionNMT, "forward", full)
    words = ["shortlist", "--ckpt_path", str(best), "--tsv", str(pairs), "--output", str(best.parent / "new.npz")]
    assert main(words) == 1
    assert "out of memory on 5 pairs at once, the longest of 21 tokens" in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main(list(map(str, words))) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_bad_input(best: Path, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shortlist(best, pairs)
    capsys.readouterr()
    translate = ["translate", "--ckpt_path", best, "--input", pairs, "--shortlist"]
    assert "does not exist: make it with seqlab shortlist" in refused(capsys, *translate, "none.npz")
    assert "is no shortlist" in refused(capsys, *translate, pairs)
    path.write_bytes(path.read_bytes()[:200])
    assert "is no shortlist" in refused(capsys, *translate, path)
    with path.open("wb") as file:
        np.savez(
            file, offsets=np.zeros(3), targets=np.zeros(0), frequent=np.zeros(0), vocabularies=np.array(["x", "y"])
        )
    assert "is of other vocabularies than the checkpoint" in refused(capsys, *translate, path)
    learn = ["shortlist", "--output", best.parent / "new.npz", "--tsv", pairs, "--ckpt_path"]
    none = write(best.parent / "none.ckpt", tiny_checkpoint(attention="NoAttention"))
    assert "the model has no attention" in refused(capsys, *learn, none)
    assert not (best.parent / "new.npz").exists()
    pairs.write_text("\t\n", encoding="utf-8")
    assert "there are no pairs" in refused(capsys, *learn, best)
    assert "give the pairs as --source" in refused(capsys, *learn, best, "--source", pairs)
