"""Tokenizers are trained once: on the same text, with the same settings, the cache has them."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from datamodules.corpora.cache import Cache
from datamodules.corpora.vocabularies import Side
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer, class_path

_TOKENIZER_FILE = "tokenizer.pt"


class TrainingText(NamedTuple):
    """What tokenizers are trained on.

    Attributes:
        content: What tells one text from another.
        sentences: Gives the sentences of some sides, from the first.
        check_unchanged: Raises where the text is no longer the same.
    """

    content: str
    sentences: Callable[[tuple[Side, ...]], Iterable[str]]
    check_unchanged: Callable[[], None]


def trained_tokenizer(
    cache: Cache, untrained: Tokenizer, key: str, text: TrainingText, sides: tuple[Side, ...]
) -> Tokenizer:
    """A trained copy of a tokenizer, from the cache if it was trained before.

    Args:
        cache: Has it, or will have it.
        untrained: As the config made it; left as it is.
        key: Its config key, for errors.
        text: What it is trained on.
        sides: Which side of it: ``source``, ``target`` or both.

    Raises:
        UserError: The text cannot be read, or does not fit the tokenizer.
    """
    tokenizer = copy.deepcopy(untrained)

    def make(directory: Path) -> None:
        try:
            tokenizer.train(_read(text.sentences(sides)))
        except _BadText:
            raise
        except UserError as error:
            raise UserError(f"{key}: {error}") from error
        state = io.BytesIO()  # writing to a file itself, torch would not say why it fails
        torch.save(tokenizer.state_dict(), state)
        (directory / _TOKENIZER_FILE).write_bytes(state.getvalue())
        text.check_unchanged()

    description = {
        "class_path": class_path(tokenizer),
        "settings": tokenizer.settings(),
        "sides": sides,
        "content": text.content,
    }
    entry = cache.entry("tokenizer", description, make)
    tokenizer.load_state_dict(torch.load(entry / _TOKENIZER_FILE, weights_only=True))
    return tokenizer


class _BadText(UserError):
    """What is wrong with the text that a tokenizer is trained on."""


def _read(sentences: Iterable[str]) -> Iterator[str]:
    """The sentences; what is wrong with them is told as such."""
    try:
        yield from sentences
    except UserError as error:
        raise _BadText(str(error)) from error
