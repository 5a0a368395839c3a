"""How callbacks get from ids to text: the data module's spelling and corpora, and what other ranks have seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

import lightning as L
import torch.distributed

from datamodules.batch import EOS, Padded
from datamodules.errors import UserError
from datamodules.parallel import Split
from datamodules.spelling import Spelling
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search

Seen = TypeVar("Seen")


class ParallelText(Protocol):
    """What a data module of sentence pairs offers."""

    def spellings(self, source: str) -> tuple[Spelling, Spelling]:
        """How a source and its targets are spelled."""

    def sources(self, split: Split) -> Sequence[str]:
        """The source sentences by corpus index."""

    def references(self, split: Split) -> Sequence[str]:
        """The target sentences by corpus index."""


class TranslatingModule(Protocol):
    """What a model offers that translates outside its steps."""

    device: torch.device
    val_search: Search

    def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
        """For each source its hypotheses, best first."""


def parallel_text(trainer: L.Trainer) -> ParallelText:
    """The trainer's data module.

    Raises:
        UserError: It has no sentence pairs.
    """
    data = getattr(trainer, "datamodule", None)
    if not hasattr(type(data), "references"):
        raise UserError(
            f"the callbacks that read text need a data module of sentence pairs, not {type(data).__name__}: "
            "take them out of trainer.callbacks"
        )
    return cast(ParallelText, data)


def written(data: ParallelText, split: Split, index: int, hypothesis: Hypothesis) -> str:
    """The text of a hypothesis.

    Args:
        data: The data module.
        split: Split that its source belongs to.
        index: Index of its source in the corpus.
        hypothesis: What was found for it.
    """
    return data.spellings(data.sources(split)[index])[1].decode(hypothesis.ids)


def gathered(seen: dict[int, Seen]) -> dict[int, Seen]:
    """What all ranks have seen, by corpus index in rising order: each sentence once, the same on every rank.

    Args:
        seen: What this rank has seen, by corpus index; anything that pickles.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return dict(sorted(seen.items()))
    shares: list[dict[int, Seen]] = [{} for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(shares, seen)
    return dict(sorted(item for share in shares for item in share.items()))


def watched_sentences(count: int, total: int) -> list[int]:
    """Indices of sentences to watch through training, spread over the corpus.

    They begin 0, 1/2, 1/4, 3/4, 1/8 ... of the corpus (van der Corput's sequence), so that a smaller choice is the
    beginning of a larger one.

    Args:
        count: How many.
        total: Sentences of the corpus; there are no more to watch.
    """
    chosen: dict[int, None] = {}
    number = 0
    while len(chosen) < min(count, total):
        fraction = int(f"{number:032b}"[::-1], base=2) / 2**32
        chosen[int(fraction * total)] = None
        number += 1
    return list(chosen)


def translate_watched(
    trainer: L.Trainer, module: L.LightningModule, indices: Sequence[int], with_attention: bool = False
) -> list[tuple[list[int], Hypothesis]]:
    """Translates validation sentences by the search of validation, in one batch.

    Args:
        trainer: Has the data module.
        module: The model; one that can translate.
        indices: Indices of the sentences in the validation set.
        with_attention: Also return what each hypothesis attended to.

    Returns:
        For each sentence its source ids, closed by EOS, and the best hypothesis.
    """
    data = parallel_text(trainer)
    texts = data.sources("val")
    sources = [[*data.spellings(texts[index])[0].encode(texts[index]), EOS] for index in indices]
    model = cast(TranslatingModule, module)
    found = model.translate(Padded.from_sequences(sources).to(model.device), model.val_search, with_attention)
    return [(source, hypotheses[0]) for source, hypotheses in zip(sources, found, strict=True)]
