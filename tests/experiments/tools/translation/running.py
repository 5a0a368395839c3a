"""What the tests of ``seqlab translate`` run it with."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.checkpoints.translator import Translator
from lightning_modules.decoding.beam import BeamSearch
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

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


Told = Callable[..., tuple[list[str], list[str]]]


def alone(translator: Translator, sentence: str, search: BeamSearch) -> list[str]:
    """The hypotheses of a sentence, translated by itself; what ends lines elsewhere is a space."""
    sentence = sentence.replace("\0", " ").replace("\u2028", " ")
    if not sentence.strip():
        return [""]
    found = translator.search_batch([translator.encode(sentence)], search)[0]
    return [translator.target_tokenizer.decode(hypothesis.ids) for hypothesis in found]


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    checkpoint = tiny_checkpoint()
    change(checkpoint)
    return write(path, checkpoint)
