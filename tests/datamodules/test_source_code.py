"""Code cut into words and marks: written again to the letter, with names that are one symbol wherever they stand."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batch import UNK
from datamodules.corpora.spelling import spellings
from datamodules.tokenizers import CodeTokenizer, restore_tokenizer

CODE = st.lists(
    st.sampled_from(
        [*"ab1_()[].,:=+-*/\\|<>$#@%!'\"`{};&^~? \t\r\x0b\xa0éß中\u0301▁", "  ", "name", 'r"', "'s'", "\\'"]
    ),
    max_size=30,
).map("".join)
LINES = [
    "self.assertEqual(x, 'abc')",
    'find . -name "*.txt"  -print0 | xargs -0 grep -l "a b"',
    "          if source [ 1 ] is not None :   ",
    r"""comment_re = re . compile ( r"^((?:'[^']*'|[^'])*?)--.*$" )""",
    '"""It isn\'t "one" word."""',
    "awk '{print $1}' < /dev/null 2>&1",
    "<unk> and <s>",
    " x",
]


def trained(*lines: str, literals: bool = False, min_frequency: int = 1) -> CodeTokenizer:
    tokenizer = CodeTokenizer(literals, min_frequency)
    tokenizer.train(lines)
    return tokenizer


def symbols(line: str, literals: bool = False) -> list[str]:
    tokenizer = trained(line, literals=literals)
    return tokenizer.pieces(tokenizer.encode(line))


@pytest.mark.parametrize("literals", [False, True])
@given(lines=st.lists(CODE | st.sampled_from(LINES), min_size=1, max_size=4))
def test_any_line_comes_back_to_the_letter(literals: bool, lines: list[str]) -> None:
    if not "".join(lines):
        return
    tokenizer = trained(*lines, literals=literals)
    restored = restore_tokenizer(tokenizer.describe())
    for line in lines:
        ids = tokenizer.encode(line)
        assert UNK not in ids
        assert tokenizer.decode(ids) == line
        assert restored.encode(line) == ids
    assert restored.fingerprint() == tokenizer.fingerprint()


def test_words_are_bare_and_marks_have_the_spaces() -> None:
    assert symbols("f(x, 1)") == ["f", "(", "x", ", ", "1", ")"]
    assert symbols("f ( x , 1 )") == ["f", " ( ", "x", " , ", "1", " )"]
    assert symbols("return not x_1") == ["return", "not", "x_1"]
    assert symbols("a  b") == ["a", "  ", "b"]
    assert symbols("find . -name '*.c'") == ["find", " .", " -", "name", " '", "*", ".", "c", "'"]


def test_a_literal_is_one_word_where_it_is_asked_for() -> None:
    assert symbols("raise E('not a, b')", literals=True) == ["raise", "E", "(", "'not a, b'", ")"]
    assert symbols("it isn't 'one' or don't", literals=True) == ["it", "isn", "'", "t", "'one'", "or", "don", "'", "t"]
    assert symbols(r"f ( r'\'x' )", literals=True) == ["f", " ( ", "r", "", r"'\'x'", " )"]
    assert symbols("'open", literals=True) == ["'", "open"]


def test_unknown_words_are_parted_by_a_space_too() -> None:
    tokenizer = trained("return x . y")
    assert tokenizer.decode(tokenizer.encode("return other . one")) == "return <unk> . <unk>"


@pytest.mark.parametrize("literals", [False, True])
def test_a_name_is_copied_whole_out_of_other_marks(literals: bool) -> None:
    sentence, line = "call get_it('some text') and \"assign it\" to Total.", "Total = x [ get_it('some text') ]"
    known = ["call x ( 'y' ) and to .", "x = x [ x('x') ]"] * 2
    tokenizer = trained(*known, literals=literals, min_frequency=2)
    source, target = spellings(tokenizer, tokenizer, sentence)
    assert target.decode(target.encode(line)) == line
    assert {"Total", "get_it"} <= set(target.pieces(target.encode(line)))
    assert ("'some text'" in source.pieces(source.encode(sentence))) == literals


def _corpus(folder: Path) -> Iterator[str]:
    names = ["django/all.anno.gz", "django/all.code.gz", *(f"nl2bash/{each}.tsv.gz" for each in ("train", "test"))]
    for path in (folder / name for name in names):
        if path.is_file():
            yield from gzip.decompress(path.read_bytes()).decode().split("\n")[::10]


def test_real_code_comes_back_to_the_letter() -> None:
    folder = Path(os.environ.get("SEQLAB_DATA", "data"))
    lines = list(_corpus(folder))
    if not lines:
        pytest.skip(f"no django and no nl2bash in {folder}")
    for literals in (False, True):
        tokenizer = trained(*lines, literals=literals)
        assert [line for line in lines if tokenizer.decode(tokenizer.encode(line)) != line] == []
