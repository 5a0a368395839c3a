"""Sentences and the lines of Python that they tell, made on the spot: ``let total be a plus b``, ``total = a + b``.

Names, numbers and strings are made up, so that they have to be copied; the words around them are few.
"""

from __future__ import annotations

import keyword
import random
import string
import sys
from collections.abc import Iterator

from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule, Split
from datamodules.curriculum import Curriculum
from datamodules.made_splits import made_word, split_of, split_sizes
from datamodules.tokenizers import CodeTokenizer

Told = tuple[str, str]
"""Something in words, and in Python."""

_STATEMENTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("set {x} to {e}", "set the value of {x} to {e}", "let {x} be {e}", "store {e} in {x}"), "{x} = {e}"),
    (("increase {x} by {a}", "add {a} to {x}"), "{x} += {a}"),
    (("decrease {x} by {a}", "subtract {a} from {x}"), "{x} -= {a}"),
    (("if {c},", "when {c},"), "if {c}:"),
    (("otherwise, if {c},", "else if {c},"), "elif {c}:"),
    (("while {c},", "as long as {c},"), "while {c}:"),
    (("for every {x} in {y},", "for each element {x} of {y},"), "for {x} in {y}:"),
    (("call {x} with {l}", "call the function {x} with {l}"), "{x}({l})"),
    (("call the method {x} of {y} with {l}", "of {y} call {x} with {l}"), "{y}.{x}({l})"),
    (("set {z} to the result of {x} with {l}", "call {x} with {l}, store the result in {z}"), "{z} = {x}({l})"),
    (("append {a} to the list {x}", "put {a} at the end of {x}"), "{x}.append({a})"),
    (("from {y} import {x}", "import {x} of the module {y}"), "from {y} import {x}"),
    (("raise {x} with the text {s}", "raise the exception {x} with {s}"), "raise {x}({s})"),
    (("return {e}", "give back {e}"), "return {e}"),
    (("print {e}", "write {e} to the screen"), "print({e})"),
)
"""Sentences that mean a statement, and the statement; the letters between braces are drawn by a :class:`_Writer`."""

_OPERATIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("the sum of {x} and {a}", "{x} plus {a}"), "{x} + {a}"),
    (("the difference of {x} and {a}", "{x} minus {a}"), "{x} - {a}"),
    (("the product of {x} and {a}", "{x} times {a}"), "{x} * {a}"),
    (("the quotient of {x} and {a}", "{x} divided by {a}"), "{x} / {a}"),
)

_CONDITIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("{e} is less than {a}", "{e} is below {a}"), "{e} < {a}"),
    (("{e} is greater than {a}", "{e} is above {a}"), "{e} > {a}"),
    (("{e} equals {a}", "{e} is the same as {a}"), "{e} == {a}"),
    (("{e} differs from {a}", "{e} is other than {a}"), "{e} != {a}"),
    (("{a} is in {x}", "{x} has {a}"), "{a} in {x}"),
    (("{x} is true", "{x} holds"), "{x}"),
    (("{x} is false", "not {x}"), "not {x}"),
)


class StatementsDataModule(ParallelDataModule):
    """A sentence to a line of Python: no file is read, nothing is downloaded.

    ``if the sum of varto and 17 is below minu,`` is ``if varto + 17 < minu:``. No name, number or word of a string is
    in two splits. Source and target have one vocabulary, without what is rare: that is copied.

    Args:
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        corpus_seed: Seed of the statements: another seed, another corpus.
        min_frequency: Symbols that come less often in the training pairs are unknown, and copied.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: A size is below 1.
    """

    def __init__(
        self,
        train_size: int = 3_000,
        val_size: int = 300,
        test_size: int = 500,
        corpus_seed: int = 0,
        min_frequency: int = 20,
        batch_size: int = 64,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        super().__init__(
            tokenizer=CodeTokenizer(literals=True, min_frequency=min_frequency),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
            copy_unknown=True,
        )
        self._sizes = split_sizes(train_size, val_size, test_size)
        self._corpus_seed = corpus_seed

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of a split, made anew."""
        writer = _Writer(random.Random(f"{self._corpus_seed} {split}"), split)
        for _ in range(self._sizes[split]):
            yield writer.one_of(_STATEMENTS)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs."""
        return hash_pairs(self.pairs(split))


class _Writer:
    """Draws statements.

    Args:
        draw: Where chance comes from.
        split: Whose names, numbers and words are taken.
    """

    def __init__(self, draw: random.Random, split: Split) -> None:
        self._draw = draw
        self._split = split
        self._holes = {
            "x": self.name,
            "y": self.name,
            "z": self.name,
            "a": self.atom,
            "e": self.expression,
            "c": self.condition,
            "l": self.arguments,
            "s": self.text,
        }

    def one_of(self, forms: tuple[tuple[tuple[str, ...], str], ...]) -> Told:
        """One of several forms, each letter between braces drawn."""
        wordings, code = self._draw.choice(forms)
        letters = dict.fromkeys(letter for _, letter, _, _ in string.Formatter().parse(code) if letter)
        drawn = {letter: self._holes[letter]() for letter in letters}
        words = self._draw.choice(wordings).format(**{letter: told for letter, (told, _) in drawn.items()})
        return words, code.format(**{letter: written for letter, (_, written) in drawn.items()})

    def name(self) -> Told:
        """A name, of one word or two."""
        told = "_".join(self._word() for _ in range(self._draw.choice((1, 1, 1, 2))))
        return told, told

    def text(self) -> Told:
        """A string of one word to three."""
        told = "'{}'".format(" ".join(self._word() for _ in range(self._draw.randint(1, 3))))
        return told, told

    def atom(self) -> Told:
        """A name, a number or a string."""
        return self._draw.choice((self.name, self.name, self.number, self.text))()

    def number(self) -> Told:
        """A whole number of two to five digits."""
        told = next(told for told in self._numbers() if split_of(told) == self._split)
        return told, told

    def expression(self) -> Told:
        """An atom, or an operation on two."""
        return self.atom() if self._draw.random() < 0.5 else self.one_of(_OPERATIONS)

    def condition(self) -> Told:
        """What an ``if`` may ask."""
        return self.one_of(_CONDITIONS)

    def arguments(self) -> Told:
        """One atom to three: ``a, b and c``."""
        words, code = zip(*(self.atom() for _ in range(self._draw.randint(1, 3))), strict=True)
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))), ", ".join(code)

    def _word(self) -> str:
        while keyword.iskeyword(word := made_word(self._draw, self._split)):
            pass
        return word

    def _numbers(self) -> Iterator[str]:
        while True:
            yield str(self._draw.randrange(10, 100_000))
