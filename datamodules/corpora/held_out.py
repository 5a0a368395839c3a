"""Which pairs of the training file are trained on, and which held out, by a hash of the source or the dialogue."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

from datamodules.errors import UserError

_HASH_BYTES = 6
"""Bytes of a hash that count: as a share of all their values they are exact in a float."""

_ROUNDING = 1e-9
"""Shares that are 1 together may be a little more as floats: 0.9 and twice 0.05."""


@dataclass(frozen=True)
class HeldOut:
    """Shares of the training file that are held out where no file is given, and the share that is trained on.

    Which split a pair belongs to follows from its source alone, as far as an excerpt reads it, or from its whole
    dialogue: pairs with equal sources, or of one dialogue, are never in two splits, and a file that grows moves none.
    So a share is met the closer, the more of them there are.

    Args:
        val: Share of the sources, or dialogues, for validation, 0 up to, but not including, 1.
        test: Share for the test, likewise.
        train: Share that is trained on, above 0, for learning with less; what a smaller share has, a larger one has
            too. Null for all that is not held out.
    """

    val: float = 0.0
    test: float = 0.0
    train: float | None = None

    def check(self) -> None:
        """Refuses shares that leave nothing to train on.

        Raises:
            UserError: A share is outside [0, 1), they are more than 1 together, or nothing is asked for.
        """
        for name, share in (("val", self.val), ("test", self.test)):
            if not 0.0 <= share < 1.0:
                raise UserError(f"data.init_args.split.{name} is {share}: give a share below 1, for example 0.05")
        if self.train is not None:
            self._check_train(self.train)
        elif not 0.0 < self.val + self.test < 1.0:
            raise UserError(
                f"data.init_args.split holds out {self.val + self.test:g} of the training pairs: give shares for val "
                "and test that are above 0 and below 1 together"
            )

    def _check_train(self, train: float) -> None:
        rest = 1.0 - self.val - self.test
        if not 0.0 < train <= rest + _ROUNDING:
            raise UserError(
                f"data.init_args.split.train is {train}: give a share above 0, and at most what val and test leave "
                f"({rest:g})"
            )

    def share(self, split: str) -> float:
        """The share that is held out for a split; 0 for training."""
        return {"val": self.val, "test": self.test}.get(split, 0.0)

    def without(self, given: Collection[str]) -> HeldOut:
        """The same without a share for splits that files are given for.

        Args:
            given: The names of those splits.
        """
        return replace(self, **dict.fromkeys(self.without_effect(given), 0.0))

    def without_effect(self, given: Collection[str]) -> list[str]:
        """The splits that have a share, and a file as well."""
        return [split for split in ("val", "test") if split in given and self.share(split)]

    def deciding(self, split: str, is_given: bool) -> dict[str, Any]:
        """What decides which pairs of a file a split has; empty where it has all.

        Args:
            split: Its name.
            is_given: Whether a file is given for it.
        """
        if not is_given:
            return {"held_out": split, "share": self.share(split)}
        shares = {name: self.share(name) for name in ("val", "test") if self.share(name)}
        rest = {"rest_of": shares} if shares else {}
        part = {} if self.train is None else {"part": self.train}
        return {**rest, **part} if split == "train" else {}

    def split_of(self, group: str) -> Literal["train", "val", "test"] | None:
        """The split of the pairs that belong together, None for none; what one share is moves no pairs of val and test.

        Args:
            group: What they have in common: the source without its features, or the dialogue.
        """
        digest = hashlib.sha256(group.encode()).digest()
        position = int.from_bytes(digest[:_HASH_BYTES], "little") / 256**_HASH_BYTES
        if position < self.val:
            return "val"
        if position >= 1.0 - self.test:
            return "test"
        return "train" if self.train is None or position < self.val + self.train else None
