"""What two tokenizers have to do with each other and with new text: a joint vocabulary, and one that grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from datamodules.corpora.features import FeatureTokenizer
from datamodules.tokenizers import Tokenizer
from datamodules.tokenizers.symbols import SymbolTokenizer, of_symbols, share_symbols

Side = Literal["source", "target"]

SIDES: tuple[Side, Side] = ("source", "target")


@dataclass(frozen=True)
class Unseen:
    """A symbol of a text that a vocabulary lacks.

    Attributes:
        symbol: As the tokenizer splits it off.
        count: How often it comes.
        number: Where it comes first, counted from 1; of a file, the line.
        is_feature: Whether it is a feature beside the source, and no symbol of a text.
    """

    symbol: str
    count: int
    number: int
    is_feature: bool = False


def unseen_symbols(tokenizer: Tokenizer, sentences: Iterable[tuple[int, str]]) -> list[Unseen]:
    """What a vocabulary lacks of a text, in the order in which it comes.

    Args:
        tokenizer: A trained one.
        sentences: Each with its number.
    """
    counts: Counter[tuple[str, bool]] = Counter()
    first: dict[tuple[str, bool], int] = {}
    for number, sentence in sentences:
        for symbol in _unknown(tokenizer, sentence):
            counts[symbol] += 1
            first.setdefault(symbol, number)
    return [Unseen(symbol, count, first[symbol, kind], kind) for (symbol, kind), count in counts.items()]


def _unknown(tokenizer: Tokenizer, sentence: str) -> Iterator[tuple[str, bool]]:
    """What a vocabulary lacks of a sentence, and of each whether it is a feature."""
    if isinstance(tokenizer, FeatureTokenizer):
        features, text = tokenizer.unknown_parts(sentence)
        yield from ((feature, True) for feature in features)
    else:
        text = tokenizer.unknown(sentence)
    yield from ((symbol, False) for symbol in text)


def join(source: Tokenizer, target: Tokenizer) -> None:
    """Gives the tokenizers of both sides one vocabulary, of what each has learnt; features stay the source's alone.

    Raises:
        UserError: One of them has no vocabulary of symbols.
    """
    share_symbols(*(_joinable(tokenizer) for tokenizer in (_of_text(source), target)))
    if isinstance(source, FeatureTokenizer):
        source.extend_features(())


def check_joinable(*tokenizers: Tokenizer) -> None:
    """Refuses tokenizers, trained or not, that :func:`join` would.

    Raises:
        UserError: One of them has no vocabulary of symbols.
    """
    for tokenizer in tokenizers:
        _joinable(tokenizer)


def _joinable(tokenizer: Tokenizer) -> SymbolTokenizer:
    return of_symbols(tokenizer, "data.init_args.joint_vocabulary is true")


def is_joint(source: Tokenizer, target: Tokenizer) -> bool:
    """Whether the ids of both sides mean the same, those of features left out."""
    text = _of_text(source)
    return text is target or (
        isinstance(text, SymbolTokenizer) and isinstance(target, SymbolTokenizer) and text.symbols == target.symbols
    )


def _of_text(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer of the text alone, without the features that may stand beside it."""
    return tokenizer.text if isinstance(tokenizer, FeatureTokenizer) else tokenizer


def shared_size(source: Tokenizer, target: Tokenizer) -> int:
    """Number of ids of the target that mean the same in the source: all of them, or none."""
    return target.vocabulary_size if is_joint(source, target) else 0


def extend(source: Tokenizer, target: Tokenizer, unseen: Mapping[Side, Sequence[Unseen]]) -> dict[Side, list[Unseen]]:
    """Adds ids after those that there are, for what comes as often as each tokenizer's ``min_frequency`` says.

    A joint vocabulary stays joint. The ids of features, old and new, are the last ones still.

    Args:
        source: The trained tokenizer of the source.
        target: That of the target, or the same one.
        unseen: What the vocabulary of each side lacks of its text.

    Returns:
        What of each side's text has an id now.

    Raises:
        UserError: A tokenizer has no vocabulary of symbols.
    """
    sides = (_of_text(source), target)
    one, other = (of_symbols(tokenizer, "--extend_vocabulary adds symbols") for tokenizer in sides)
    were_joint = is_joint(one, other)
    counts = [Counter({each.symbol: each.count for each in unseen[side] if not each.is_feature}) for side in SIDES]
    if one is other:
        one.extend(counts[0] + counts[1])
    else:
        one.extend(counts[0])
        other.extend(counts[1])
        if were_joint:
            share_symbols(one, other)
    if isinstance(source, FeatureTokenizer):
        source.extend_features(each.symbol for each in unseen["source"] if each.is_feature)
    return {
        side: [each for each in unseen[side] if each.is_feature or not tokenizer.unknown(each.symbol)]
        for side, tokenizer in zip(SIDES, (one, other), strict=True)
    }
