"""Attention by sentence: sums are those of the tokens, whatever the tokenizer, and the figure shows all of the text."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.tokenizers import (
    CharacterTokenizer,
    CodeTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
)
from experiments.figures.importance import importance_figure, sentence_weights, sentences_of

pytestmark = pytest.mark.drawn

TEXT = "Dato 2.0 is a tool. It reads files! Is it new? Yes"


def test_sentences() -> None:
    assert [sentence for _, sentence in sentences_of(TEXT)] == [
        "Dato 2.0 is a tool.",
        "It reads files!",
        "Is it new?",
        "Yes",
    ]
    assert all(TEXT[start:].startswith(sentence) for start, sentence in sentences_of(TEXT))


@pytest.mark.parametrize(
    "tokenizer",
    [CodeTokenizer(), CharacterTokenizer(), WhitespaceTokenizer(), SentencePieceTokenizer(40, character_coverage=1.0)],
    ids=lambda each: type(each).__name__,
)
def test_each_sentence_has_the_weights_of_its_tokens(tokenizer: Tokenizer) -> None:
    tokenizer.train([TEXT] * 3)
    pieces = [*tokenizer.pieces(tokenizer.encode(TEXT)), "</s>"]
    attention = np.random.default_rng(0).random((3, len(pieces)))
    sums = sentence_weights(TEXT, pieces, attention)
    assert sums.sum() == pytest.approx(attention.mean(axis=0)[:-1].sum())
    last = np.zeros((2, len(pieces)))
    last[:, len(pieces) - 2] = 1.0  # the last token of the text
    assert sentence_weights(TEXT, pieces, last).tolist() == [0.0, 0.0, 0.0, 1.0]


def test_the_figure_has_all_words_and_the_darkest_is_the_weightiest() -> None:
    figure = importance_figure(TEXT, "tool $x$", [0.1, 0.6, 0.2, 0.05], "step 3")
    (axes,) = figure.axes
    shown = [text.get_text() for text in axes.texts]
    assert {"10%", "60%", "Dato 2.0 is a tool.", "It reads files!", "tool $x$", "written"} <= set(shown)
    colours = [sum(patch.get_facecolor()[:3]) for patch in axes.patches][:4]
    assert colours.index(min(colours)) == 1
    figure.canvas.draw()
    with pytest.raises(ValueError, match="do not fit 4 sentences"):
        importance_figure(TEXT, "", [1.0])
