"""Descriptions of programs that do not exist, and what each is in one line: made on the spot.

``Dato is a fast library for reading brelto files. It was written by ...`` is a ``library for reading brelto files``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from datamodules.batch import Split
from datamodules.corpora.corpus import hash_pairs
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.curriculum import Curriculum
from datamodules.excerpts import Excerpt
from datamodules.made_splits import made_word, split_sizes
from datamodules.tokenizers import CodeTokenizer

_KINDS = ("library", "tool", "program", "server", "daemon", "plugin", "compiler", "viewer", "editor", "module")
_QUALITIES = ("fast", "small", "simple", "portable", "modern", "extensible", "lightweight", "flexible")
_ACTIONS = ("reading", "writing", "checking", "converting", "drawing", "sorting", "comparing", "sending")
_OBJECTS = ("files", "images", "messages", "tables", "archives", "graphs", "fonts", "maps")

_DEFINITIONS = (
    "{name} is a {quality} {kind} for {action} {format} {object}.",
    "{name} is a {kind} that makes {action} {format} {object} easy.",
    "With the {quality} {kind} {name}, {action} {format} {object} takes no time.",
)

_BEFORE = ("", "", "This package belongs to the {project} project.", "Thank you for your interest in {project}.")

_AFTER = (
    "It was written in {project} and needs no other package.",
    "It runs on all systems that {project} supports.",
    "The {project} format is not supported yet.",
    "There is a manual of {project} in five languages.",
    "Tables and images of {project} can be shown as well.",
)


class DescriptionsDataModule(ParallelDataModule):
    """A description of three sentences to six, and what it is about in one line: no file is read, none downloaded.

    The names of programs and formats are made up, and none is in two splits: they have to be copied. Source and target
    have one vocabulary, without what is rare.

    Args:
        train_size: Number of training pairs.
        val_size: Number of validation pairs.
        test_size: Number of test pairs.
        corpus_seed: Seed of the descriptions: another seed, another corpus.
        min_frequency: Words that come less often in the training pairs are unknown, and copied.
        batch_size: Pairs of one training batch, all processes together.
        eval_batch_size: Pairs of one batch in validation, test and prediction, all processes together.
        seed: Seed of the order of the training batches.
        num_workers: Processes that load batches beside the training process; 0 loads in it.
        cache_directory: Where the vocabulary and encoded text are kept; else $SEQLAB_CACHE, else ~/.cache/seqlab.
        curriculum: Which training batches come when; each once an epoch, in random order, if not given.
        excerpt: How much of a description is read; all of it if not given.

    Raises:
        UserError: A size is below 1.
    """

    def __init__(
        self,
        train_size: int = 2_000,
        val_size: int = 200,
        test_size: int = 300,
        corpus_seed: int = 0,
        min_frequency: int = 20,
        batch_size: int = 32,
        eval_batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        cache_directory: str | None = None,
        curriculum: Curriculum | None = None,
        excerpt: Excerpt | None = None,
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
            excerpt=excerpt,
        )
        self._sizes = split_sizes(train_size, val_size, test_size)
        self._corpus_seed = corpus_seed

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """All pairs of a split, made anew."""
        draw = random.Random(f"{self._corpus_seed} {split}")
        for _ in range(self._sizes[split]):
            yield _described(draw, split)

    def content(self, split: Split) -> str:
        """The hash (hex) of a split's pairs."""
        return hash_pairs(self.pairs(split))


def _described(draw: random.Random, split: Split) -> tuple[str, str]:
    """A description, and what it describes."""
    words = {
        "name": made_word(draw, split).capitalize(),
        "format": made_word(draw, split),
        "project": made_word(draw, split).capitalize(),
        "kind": draw.choice(_KINDS),
        "quality": draw.choice(_QUALITIES),
        "action": draw.choice(_ACTIONS),
        "object": draw.choice(_OBJECTS),
    }
    sentences = [draw.choice(_BEFORE), draw.choice(_DEFINITIONS), *draw.sample(_AFTER, draw.randint(2, 4))]
    text = " ".join(sentence.format(**words) for sentence in sentences if sentence)
    return text, "{kind} for {action} {format} {object}".format(**words)
