"""The tokenizers of both sides of a corpus: asked for, trained once, or taken over from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datamodules.corpora.cache import Cache
from datamodules.corpora.features import FeatureTokenizer
from datamodules.corpora.tokenizer_training import TrainingText, trained_tokenizer
from datamodules.corpora.vocabularies import SIDES, Side, check_joinable, join
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer, restore_tokenizer


class TokenizerPair:
    """Tokenizers of source and target, which may be one, or two with one vocabulary.

    Args:
        cache: Has what was trained before.
        source: Tokenizer of the source as it was asked for, and of the target too unless another is given.
        target: Tokenizer of the target; None for that of the source.
        joint: Whether two tokenizers have one vocabulary.

    Attributes:
        wanted: The tokenizers that were asked for, not trained.

    Raises:
        UserError: Two tokenizers cannot have one vocabulary.
    """

    def __init__(self, cache: Cache, source: Tokenizer, target: Tokenizer | None, joint: bool) -> None:
        self.wanted = (source, target)
        self._cache = cache
        self._joint = joint
        if joint and target is not None:
            check_joinable(source, target)
        self._trained: tuple[Tokenizer, Tokenizer] | None = None

    def get(self, text: Callable[[], TrainingText]) -> tuple[Tokenizer, Tokenizer]:
        """The trained tokenizers; of a joint vocabulary the target's is the source's own, without its features.

        Args:
            text: Gives what they are trained on; called where they are not trained yet.

        Raises:
            UserError: The text cannot be read, or does not fit a tokenizer.
        """
        if self._trained is None:
            self._trained = self._train(text())
        source, target = self._trained
        return source, source.text if target is source and isinstance(source, FeatureTokenizer) else target

    def _train(self, text: TrainingText) -> tuple[Tokenizer, Tokenizer]:
        def trained(untrained: Tokenizer, key: str, sides: tuple[Side, ...]) -> Tokenizer:
            return trained_tokenizer(self._cache, untrained, f"data.init_args.{key}", text, sides)

        source, target = self.wanted
        if target is None:
            both = trained(source, "tokenizer", SIDES)
            return both, both
        made = trained(source, "tokenizer", ("source",)), trained(target, "target_tokenizer", ("target",))
        if self._joint:
            join(*made)
        return made

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over those of a checkpoint, whose class paths were checked before.

        Args:
            state: Of a data module: ``source_tokenizer`` and ``target_tokenizer``, each what
                :meth:`Tokenizer.describe` gives; the second is None where one tokenizer has both sides.

        Raises:
            UserError: The state is damaged.
        """
        if not isinstance(state.get("source_tokenizer"), Mapping):
            raise UserError(
                "the checkpoint's data module state has no source_tokenizer: it is damaged, or of other data"
            )
        source = restore_tokenizer(state["source_tokenizer"])
        target = state.get("target_tokenizer")
        self._trained = (source, source if target is None else restore_tokenizer(target))
