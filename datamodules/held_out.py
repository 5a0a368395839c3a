"""Validation and test pairs that are held out of the training file, by a hash of the source."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

from datamodules.errors import UserError

_HASH_BYTES = 6
"""Bytes of a hash that count: as a share of all their values they are exact in a float."""


@dataclass(frozen=True)
class HeldOut:
    """Shares of the training file that are held out where no file is given.

    Which split a pair belongs to follows from its source alone: pairs with equal sources are never in two splits, and a
    file that grows moves none. So a share is met the closer, the more sources there are.

    Args:
        val: Share of the sources for validation, 0 up to, but not including, 1.
        test: Share for the test, likewise.
    """

    val: float = 0.0
    test: float = 0.0

    def check(self) -> None:
        """Refuses shares that leave nothing to train on.

        Raises:
            UserError: A share is outside [0, 1), or both are 1 or more together, or 0.
        """
        for name, share in (("val", self.val), ("test", self.test)):
            if not 0.0 <= share < 1.0:
                raise UserError(f"data.init_args.split.{name} is {share}: give a share below 1, for example 0.05")
        if not 0.0 < self.val + self.test < 1.0:
            raise UserError(
                f"data.init_args.split holds out {self.val + self.test:g} of the training pairs: give shares for val "
                "and test that are above 0 and below 1 together"
            )

    def share(self, split: str) -> float:
        """The share that is held out for a split; 0 for training, which has the rest."""
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
        return {"rest_of": shares} if split == "train" and shares else {}

    def split_of(self, source: str) -> Literal["train", "val", "test"]:
        """The split of the pairs with a source; what one share is does not move pairs of the other.

        Args:
            source: Without its features.
        """
        digest = hashlib.sha256(source.encode()).digest()
        position = int.from_bytes(digest[:_HASH_BYTES], "little") / 256**_HASH_BYTES
        if position < self.val:
            return "val"
        return "test" if position >= 1.0 - self.test else "train"
