"""Numbers and their squares, letter by letter."""

from collections.abc import Iterator

from datamodules.batch import Split
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.tokenizers import CharacterTokenizer

NUMBERS = {"train": range(0, 900, 1), "val": range(900, 950), "test": range(950, 1000)}


class SquaresDataModule(ParallelDataModule):
    """Pairs of a number and its square.

    Args:
        batch_size: Pairs in a batch.
        seed: Seed of the order of the training batches.
    """

    def __init__(self, batch_size: int = 32, seed: int = 0) -> None:
        super().__init__(CharacterTokenizer(), batch_size=batch_size, seed=seed)

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """The pairs of a split."""
        yield from ((str(number), str(number * number)) for number in NUMBERS[split])

    def content(self, split: Split) -> str:
        """What tells one corpus from another: the cache is made anew where it changes."""
        return f"squares of {NUMBERS[split]}"
