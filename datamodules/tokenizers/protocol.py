"""What every tokenizer offers."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from datamodules.errors import UserError

Setting = str | int | float | None
"""What a tokenizer's constructor takes: plain values, so that a checkpoint can hold them."""


class Tokenizer(ABC):
    """Turns a sentence into ids and back, after it was trained on text.

    A subclass has a constructor of plain values, which :meth:`settings` gives back, and a trained state of plain
    values. The ids below ``len(SPECIAL_PIECES)`` are reserved for all tokenizers alike; see :mod:`datamodules.batch`.
    """

    @property
    @abstractmethod
    def vocabulary_size(self) -> int:
        """Number of ids, the reserved ones included.

        Raises:
            RuntimeError: It was not trained yet.
        """

    @abstractmethod
    def settings(self) -> dict[str, Setting]:
        """The constructor's arguments by name."""

    @abstractmethod
    def train(self, sentences: Iterable[str]) -> None:
        """Learns the vocabulary; what was learnt before is forgotten.

        Args:
            sentences: The training text, read once.

        Raises:
            UserError: The text is empty, or does not fit the settings.
        """

    @abstractmethod
    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence; of the reserved ones only UNK, for what the vocabulary lacks."""

    def encode_all(self, sentences: list[str]) -> list[list[int]]:
        """The ids of several sentences, those of :meth:`encode`; where a tokenizer can, by several threads."""
        return [self.encode(sentence) for sentence in sentences]

    def unknown(self, sentence: str) -> list[str]:
        """What the vocabulary lacks of a sentence, as often as it comes there; empty where a tokenizer cannot tell."""
        return []

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of ids; PAD, BOS and EOS are dropped, UNK becomes ``<unk>``."""

    @abstractmethod
    def pieces(self, ids: Iterable[int]) -> list[str]:
        """One string to show for each id, the reserved ones included: ``</s>`` for EOS."""

    def merges(self) -> dict[int, tuple[int, int]]:
        """For each piece that was merged of two others, those two; empty where nothing is merged."""
        return {}

    @abstractmethod
    def trained_state(self) -> dict[str, str | bytes]:
        """What training made, as plain values.

        Raises:
            RuntimeError: It was not trained yet.
        """

    @abstractmethod
    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        """Takes over what :meth:`trained_state` gave."""

    def state_dict(self) -> dict[str, Any]:
        """The settings and the trained state, as plain values only: ``torch.load(weights_only=True)`` reads them.

        Raises:
            RuntimeError: It was not trained yet.
        """
        return {"settings": self.settings(), "trained": self.trained_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over the trained state of a tokenizer of the same class and settings.

        Args:
            state: What :meth:`state_dict` gave.

        Raises:
            UserError: The state is of other settings, or damaged.
        """
        try:
            settings, trained = state["settings"], state["trained"]
        except (KeyError, TypeError) as error:
            raise UserError(f"damaged state of a {type(self).__name__}: it has no settings or no vocabulary") from error
        if settings != self.settings():
            raise UserError(f"the state of a {type(self).__name__} with {settings} does not fit {self.settings()}")
        self.load_trained_state(trained)

    def describe(self) -> dict[str, Any]:
        """The class and the state, for a checkpoint; :func:`restore_tokenizer` makes the tokenizer from it."""
        return {"class_path": class_path(self), "state": self.state_dict()}

    def fingerprint(self) -> str:
        """SHA-256 (hex) over class, settings and trained state: equal where the ids of every sentence are equal."""
        canonical = json.dumps(self.describe(), sort_keys=True, default=bytes.hex)
        return hashlib.sha256(canonical.encode()).hexdigest()


def class_path(part: object) -> str:
    """Where the class of a tokenizer, or of another part, is imported from, as a config writes it."""
    return f"{type(part).__module__}.{type(part).__qualname__}"


def untrained(tokenizer: Tokenizer) -> RuntimeError:
    """What is raised where a tokenizer is used that has no vocabulary."""
    return RuntimeError(f"this {type(tokenizer).__name__} has no vocabulary yet: call train or load_state_dict first")
