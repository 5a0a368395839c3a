"""Dialogues on bookings at places that do not exist, made on the spot: what was said, acts, and the answer.

``OFFER place = Brelto ; OFFER city = Dastu <usr> I want to eat in Dastu`` is ``How about Brelto in Dastu?``.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.excerpts import LastTurns
from datamodules.made_splits import made_word, split_sizes
from datamodules.tokenizers import CodeTokenizer

_FORMS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("I want to eat in {city}.", "REQUEST time", (), "What time should it be?"),
    ("A table at {time}, please.", "REQUEST guests", (), "For how many people?"),
    (
        "We are {guests} people.",
        "OFFER place = {place} ; OFFER city = {city}",
        ("place", "city"),
        "How about {place} in {city}?",
    ),
    (
        "That sounds good.",
        "CONFIRM place = {place} ; CONFIRM time = {time} ; CONFIRM guests = {guests}",
        ("place", "time", "guests"),
        "A table at {place} at {time} for {guests} people, is that right?",
    ),
    ("Yes, it is.", "NOTIFY_SUCCESS", (), "Your table is booked."),
    ("Where is it?", "INFORM address = {address}", ("address",), "It is at {address}."),
    ("Thank you, that is all.", "GOODBYE", (), "Have a great day."),
)
"""What a user says, what the answer has to say, the slots whose values it says, and the answer."""


@dataclass(frozen=True)
class Reply:
    """One answer of a dialogue.

    Attributes:
        acts: What it has to say.
        said: The turns before it, each opened by its marker.
        text: The answer.
        values: A JSON list of ``[slot, value, flag]``: the values that it says; "c" for one that was said before, "a"
            for one that only the acts have.
    """

    acts: str
    said: str
    text: str
    values: str


class BookingsDataModule(ParallelDataModule):
    """Acts and the turns before them to an answer: no file is read, nothing is downloaded.

    The names of places and cities are made up, and none is in two splits: they have to be copied.

    Args:
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        corpus_seed: Seed of the dialogues: another seed, another corpus.
        acts: Whether the acts stand before what was said; without them the answer has to be guessed.
        excerpt: How many turns are read, and how much of each.
        min_frequency: Words that come less often in the training pairs are unknown, and copied.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: A size is below 1, or neither acts nor turns are to be read.
    """

    def __init__(
        self,
        train_size: int = 2_000,
        val_size: int = 200,
        test_size: int = 300,
        corpus_seed: int = 0,
        acts: bool = True,
        excerpt: LastTurns | None = None,
        min_frequency: int = 20,
        batch_size: int = 32,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        super().__init__(
            tokenizer=CodeTokenizer(min_frequency=min_frequency),
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
            copy_unknown=True,
            excerpt=LastTurns() if excerpt is None else excerpt,
        )
        if excerpt is not None and excerpt.turns == 0 and not acts:
            raise UserError("data.init_args.excerpt has 0 turns and acts is false: nothing is left to be read")
        self._sizes = split_sizes(train_size, val_size, test_size)
        self._corpus_seed = corpus_seed
        self._acts = acts
        self._markers = (LastTurns() if excerpt is None else excerpt).markers

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of a split, made anew."""
        for reply in self.replies(split):
            yield (f"{reply.acts} {reply.said}" if self._acts else reply.said), reply.text

    def replies(self, split: Split) -> Iterator[Reply]:
        """All answers of a split, dialogue by dialogue, made anew."""
        draw = random.Random(f"{self._corpus_seed} {split}")
        wanted = self._sizes[split]
        while wanted:
            dialogue = _dialogue(draw, split, self._markers)[:wanted]
            yield from dialogue
            wanted -= len(dialogue)

    def annotation(self, split: Split, name: str) -> Sequence[str]:
        """The column ``values``; see :class:`Reply`."""
        if name != "values":
            return super().annotation(split, name)
        values = [reply.values for reply in self.replies(split)]
        return [values[number - 1] for number in self._corpus(split).numbers]

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs."""
        return hash_pairs(self.pairs(split))


def _dialogue(draw: random.Random, split: Split, markers: Sequence[str]) -> list[Reply]:
    """The answers of a dialogue that ends early, as a rule."""
    values = {
        "place": made_word(draw, split).capitalize(),
        "city": made_word(draw, split).capitalize(),
        "address": f"{draw.randrange(10, 1000)} {made_word(draw, split).capitalize()} Street",
        "time": f"{draw.randrange(1, 12)} {draw.choice(('am', 'pm'))}",
        "guests": str(draw.randrange(2, 9)),
    }
    user, system = markers
    said, replies = "", list[Reply]()
    for question, acts, slots, answer in _FORMS[: draw.randint(2, len(_FORMS))]:
        said = f"{said} {user} {question}".strip().format(**values)
        told = [[slot, values[slot], "c" if values[slot] in said else "a"] for slot in slots]
        text = answer.format(**values)
        replies.append(Reply(acts.format(**values), said, text, json.dumps(told)))
        said = f"{said} {system} {text}"
    return replies
