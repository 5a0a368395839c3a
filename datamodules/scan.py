"""SCAN: commands in a small language to the actions that they mean (Lake and Baroni, 2018), made on the spot.

"jump opposite left after walk around left": the grammar makes 20,910 commands, each with one meaning. Its splits ask
whether a model that learned the words learned how they compose: to longer commands, to a verb that it met alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from lightning.pytorch.utilities import rank_zero_warn

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import Side
from datamodules.curriculum import Curriculum
from datamodules.errors import UserError
from datamodules.plan import BatchUnit
from datamodules.tokenizers import WhitespaceTokenizer

ScanSplit = Literal["simple", "length", "addprim_jump"]
"""The published splits of the commands; see :class:`ScanDataModule`."""

_PRIMITIVES = ("walk", "look", "run", "jump")
_DIRECTIONS = ("left", "right")

Phrase = tuple[str, tuple[str, ...]]
"""Words and the actions that they mean."""

Pair = tuple[str, str]
"""A command and its actions, as text."""


@cache
def scan_pairs() -> tuple[Pair, ...]:
    """Every command with its actions, in the order of the grammar: 20,910 (source, target) pairs, no source twice."""
    return tuple((words, " ".join(actions)) for words, actions in _commands())


def _commands() -> Iterator[Phrase]:
    """``C -> S and S | S after S | S``."""
    sentences = list(_sentences())
    yield from sentences
    for words, actions in sentences:
        for other_words, other_actions in sentences:
            yield f"{words} and {other_words}", (*actions, *other_actions)
            yield f"{words} after {other_words}", (*other_actions, *actions)


def _sentences() -> Iterator[Phrase]:
    """``S -> V twice | V thrice | V``."""
    for words, actions in _verbs():
        yield words, actions
        yield f"{words} twice", actions * 2
        yield f"{words} thrice", actions * 3


def _verbs() -> Iterator[Phrase]:
    """``V -> D opposite | D around | D | U``, where ``D -> U left | U right | turn left | turn right``.

    "around" goes in four turns, with the verb's action after each; "turn" has no action of its own.
    """
    for verb in _PRIMITIVES:
        yield verb, (f"I_{verb.upper()}",)
    for verb in (*_PRIMITIVES, "turn"):
        action = () if verb == "turn" else (f"I_{verb.upper()}",)
        for direction in _DIRECTIONS:
            turn = f"I_TURN_{direction.upper()}"
            yield f"{verb} {direction}", (turn, *action)
            yield f"{verb} opposite {direction}", (turn, turn, *action)
            yield f"{verb} around {direction}", (turn, *action) * 4


@dataclass(frozen=True)
class Division:
    """The two published parts of a split.

    Attributes:
        trained: The commands of training, each once; validation is held out of them.
        tested: The commands of the test.
        repeated: What training has besides.
    """

    trained: list[Pair]
    tested: list[Pair]
    repeated: list[Pair]


def _at_random(pairs: list[Pair]) -> Division:
    """Four fifths to train on: 16,728 commands, and 4,182 to test."""
    count = len(pairs) * 4 // 5
    return Division(trained=pairs[:count], tested=pairs[count:], repeated=[])


def _by_length(pairs: list[Pair]) -> Division:
    """Up to 22 actions to train on, 16,990 commands; 24 to 48 to test, 3,920."""
    is_short = [actions.count(" ") < 22 for _, actions in pairs]
    return Division(
        trained=[pair for pair, short in zip(pairs, is_short, strict=True) if short],
        tested=[pair for pair, short in zip(pairs, is_short, strict=True) if not short],
        repeated=[],
    )


def _with_jump_added(pairs: list[Pair]) -> Division:
    """13,203 commands of other verbs, and "jump" alone as a tenth of 14,670 pairs, to train on; 7,706 to test."""
    trained = [pair for pair in pairs if "jump" not in pair[0].split()]
    return Division(
        trained=trained,
        tested=[pair for pair in pairs if "jump" in pair[0].split() and pair[0] != "jump"],
        repeated=[("jump", "I_JUMP")] * (len(trained) // 9),
    )


_DIVISIONS: dict[ScanSplit, Callable[[list[Pair]], Division]] = {
    "simple": _at_random,
    "length": _by_length,
    "addprim_jump": _with_jump_added,
}


@dataclass(frozen=True)
class ScanCorpus:
    """The commands, divided into training, validation and test: a function of these settings alone.

    Attributes:
        split: How training and test are divided; see :class:`ScanDataModule`.
        val_size: Number of training commands that are held out.
        seed: Seed of the random split, of what is held out, and of the order of the pairs.

    Raises:
        UserError: ``val_size`` is below 1, or leaves nothing to train on.
    """

    split: ScanSplit
    val_size: int
    seed: int

    def __post_init__(self) -> None:
        count = len(self._division.trained)
        if not 1 <= self.val_size < count:
            raise UserError(
                f"data.init_args.val_size is {self.val_size}: give 1 to {count - 1}, for the training of split "
                f"{self.split} has {count} commands"
            )

    def pairs(self, split: Split) -> Iterator[Pair]:
        """The (source, target) pairs of a split."""
        division = self._division
        parts: dict[Split, list[Pair]] = {
            "train": division.trained[self.val_size :] + division.repeated,
            "val": division.trained[: self.val_size],
            "test": division.tested,
        }
        yield from parts[split]

    @cached_property
    def _division(self) -> Division:
        pairs = random.Random(self.seed).sample(scan_pairs(), len(scan_pairs()))
        return _DIVISIONS[self.split](pairs)


class ScanDataModule(ParallelDataModule):
    """SCAN's commands and the actions that they mean, all 20,910 made on the spot: no file is read or downloaded.

    The published splits (Lake and Baroni, 2018): ``simple`` has a random fifth as its test. ``length`` trains on up to
    22 actions and tests 24 to 48. ``addprim_jump`` trains on all commands without "jump" and on "jump" alone, in a
    tenth of the pairs, and tests all others with "jump". They have no validation: ``val_size`` commands of the training
    are held out, 500 of 16,728, 16,990 or 13,203 if not given, so that its lengths and verbs are those of the training.
    A model is tested with the split that it was trained with: other splits' tests have commands of its training, which
    is warned of.

    Source and target have a vocabulary each: 13 words, 6 actions.

    Args:
        split: ``simple``, ``length`` or ``addprim_jump``.
        val_size: Number of training commands that are held out for validation.
        corpus_seed: Seed of the random split, of what is held out, and of the order of the pairs.
        batch_size: Budget of one training batch, all processes together.
        batch_unit: What the budget counts: pairs, or padded tokens of the longer side.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabularies and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.

    Raises:
        UserError: ``val_size`` is below 1, or leaves nothing to train on.
    """

    def __init__(
        self,
        split: ScanSplit = "simple",
        val_size: int = 500,
        corpus_seed: int = 0,
        batch_size: int = 64,
        batch_unit: BatchUnit = "sentences",
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        super().__init__(
            tokenizer=WhitespaceTokenizer(),
            target_tokenizer=WhitespaceTokenizer(),
            batch_size=batch_size,
            batch_unit=batch_unit,
            eval_batch_size=eval_batch_size,
            max_length=sys.maxsize,  # the longest commands are what is to be learned: none is skipped
            seed=seed,
            num_workers=num_workers,
            cache_directory=cache_directory,
            curriculum=curriculum,
        )
        self._scan_corpus = ScanCorpus(split, val_size, corpus_seed)
        self._contents: dict[Split, str] = {}

    def pairs(self, split: Split) -> Iterator[Pair]:
        """All (source, target) pairs of a split."""
        return self._scan_corpus.pairs(split)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs, made once."""
        if split not in self._contents:
            self._contents[split] = hash_pairs(self.pairs(split))
        return self._contents[split]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the tokenizers of a checkpoint; warns where it was trained on other commands than the split's."""
        super().load_state_dict(state_dict)
        trained = state_dict.get("content", {}).get("train")
        if trained is not None and trained != self.content("train"):
            rank_zero_warn(
                "the checkpoint was trained on other commands than those of this split (data.init_args.split, val_size "
                "and corpus_seed): it may know commands of the test; give what it was trained with"
            )

    def _sentences(self, sides: tuple[Side, ...]) -> Iterable[str]:
        """All commands: the vocabularies are known, and the same in every split, whatever is held out."""
        for pair in scan_pairs():
            for side, sentence in zip(("source", "target"), pair, strict=True):
                if side in sides:
                    yield sentence
