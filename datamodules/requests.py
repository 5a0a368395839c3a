"""Requests to a travel agent and what they ask for, made on the spot: ``not a room but a table`` asks for a table.

Each names two services, of which one is wanted; the words are the same whichever it is, and their order tells.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.labelled import LabelledTextDataModule
from datamodules.made_splits import split_of, split_sizes
from datamodules.tokenizers import WhitespaceTokenizer
from datamodules.tokenizers.labels import LabelTokenizer

_SERVICES = {
    "car": ("a car", "a van", "a small convertible", "something to drive"),
    "cinema": ("a film", "two seats at the cinema", "tickets for a premiere", "the late show"),
    "flight": ("a flight", "a seat on a plane", "a ticket to fly", "an early departure"),
    "hotel": ("a room", "a bed for the night", "two nights in a hotel", "a place to sleep"),
    "restaurant": ("a table", "dinner for four", "a place to eat", "lunch by the sea"),
    "taxi": ("a taxi", "a ride", "someone to drive us", "a cab"),
}
"""What may be asked for, and in which words."""

_REQUESTS = (
    "not {other} but {wanted}",
    "i want {wanted} and not {other}",
    "instead of {other} give me {wanted}",
    "give me {wanted} instead of {other}",
    "{other} is booked now find {wanted}",
    "find {wanted} now {other} is booked",
    "cancel {other} and book {wanted}",
    "book {wanted} and cancel {other}",
)

_SYLLABLES = ("ba", "den", "fi", "gor", "ka", "lem", "mo", "nus", "pi", "rel", "sta", "tov", "vi", "zan")


class RequestsDataModule(LabelledTextDataModule):
    """Requests that name two services, and the one that is wanted: no file is read, nothing is downloaded.

    ``instead of a ride give me a room for mr denmo`` asks for a hotel. How often a word comes says little of the label:
    what decides is the order. No name of a person is in two splits.

    Args:
        train_size: Number of training texts.
        val_size: Number of validation texts.
        test_size: Number of test texts.
        corpus_seed: Seed of the requests: another seed, another corpus.
        min_frequency: Words that come less often in the training texts are unknown.
        batch_size: Texts of one training batch, all processes together.
        eval_batch_size: Texts of one batch in validation, test and prediction, all processes together.
        max_length: Words of a text that are read; what follows is left out.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.

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
        eval_batch_size: int = 256,
        max_length: int = 40,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
    ) -> None:
        super().__init__(
            WhitespaceTokenizer(min_frequency),
            LabelTokenizer(),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=max_length,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
        )
        self._sizes = split_sizes(train_size, val_size, test_size)
        self._corpus_seed = corpus_seed

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All texts of a split with their labels, made anew."""
        draw = random.Random(f"{self._corpus_seed} {split}")
        for _ in range(self._sizes[split]):
            wanted, other = draw.sample(sorted(_SERVICES), 2)
            request = draw.choice(_REQUESTS).format(
                wanted=draw.choice(_SERVICES[wanted]), other=draw.choice(_SERVICES[other])
            )
            name = next(name for name in _names(draw) if split_of(name) == split)
            yield f"{request} {draw.choice(('for mr', 'for ms', 'says'))} {name}", wanted

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's texts and labels."""
        return hash_pairs(self.pairs(split))


def _names(draw: random.Random) -> Iterator[str]:
    while True:
        yield "".join(draw.choice(_SYLLABLES) for _ in range(draw.choice((2, 3))))
