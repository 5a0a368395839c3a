"""Features beside the source, as of inflection: each a symbol of its own before the text's own symbols."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from datamodules.batch import UNK
from datamodules.errors import UserError
from datamodules.excerpts import Excerpt
from datamodules.tokenizers import Setting, Tokenizer, class_path, restore_tokenizer

_BORDER = "\t"
"""Between a source and its features in one line; no sentence has it."""

_OPENING, _CLOSING = "([{", ")]}"

_BRACKETS_AND_COMMAS = re.compile(r"[()\[\]{},]")


@dataclass(frozen=True)
class Features:
    """How a column of features is read.

    Args:
        separator: What stands between two features.
        brackets: Whether a feature with brackets, ``NOM(1,SG)``, is one symbol and hides separators within them
            (``whole``), or is taken apart at brackets, commas and separators: ``NOM``, ``1``, ``SG`` (``apart``).
    """

    separator: str = ";"
    brackets: Literal["whole", "apart"] = "whole"

    def check(self) -> None:
        """Refuses a separator that cannot be one.

        Raises:
            UserError: It is empty, or has a tab or line end.
        """
        if not self.separator or any(sign in self.separator for sign in "\t\r\n"):
            raise UserError(f"data.init_args.features.separator is {self.separator!r}: give a sign, for example ';'")

    def before(self, text: Tokenizer, features_first: bool = False) -> FeatureTokenizer:
        """An untrained tokenizer that puts features before the symbols of another one.

        Args:
            text: Tokenizer of the text.
            features_first: Whether a line has the features before the tab.

        Raises:
            UserError: The separator cannot be one.
        """
        return FeatureTokenizer(text, self.separator, self.brackets, features_first)

    def split(self, text: str) -> list[str]:
        """The features of a cell, without the white space around them; empty ones are dropped."""
        parts = self._at_separators(text)
        if self.brackets == "apart":
            parts = (piece for part in text.split(self.separator) for piece in _BRACKETS_AND_COMMAS.split(part))
        return [part.strip() for part in parts if part.strip()]

    def _at_separators(self, text: str) -> Iterator[str]:
        """The parts between separators that stand in no brackets."""
        depth = start = position = 0
        while position < len(text):
            if depth == 0 and text.startswith(self.separator, position):
                yield text[start:position]
                start = position = position + len(self.separator)
                continue
            depth += (text[position] in _OPENING) - (depth > 0 and text[position] in _CLOSING)
            position += 1
        yield text[start:]


class FeatureTokenizer(Tokenizer):
    """A tokenizer of a source and its features, which stand in one line with a tab between them.

    The ids of the text are those of the tokenizer that it wraps, and features have the ids above: ``N`` the feature is
    another symbol than ``N`` the letter. A sentence's features come before its text, in their own order, as the tags of
    Kann and Schütze (2016) do. ``data.init_args.features`` of the data module makes it.

    Args:
        text: Tokenizer of the text; of a checkpoint, its ``class_path`` and ``settings``.
        separator: See :class:`Features`.
        brackets: See :class:`Features`.
        features_first: Whether a line has the features before the tab, and the source after it.
    """

    def __init__(
        self,
        text: Tokenizer | Mapping[str, Any],
        separator: str = ";",
        brackets: Literal["whole", "apart"] = "whole",
        features_first: bool = False,
    ) -> None:
        if not isinstance(text, Tokenizer) and not (
            isinstance(text, Mapping) and {"class_path", "settings"} <= {*text}
        ):
            raise UserError("damaged state of a FeatureTokenizer: the tokenizer of its text is missing")
        self.features = Features(separator, brackets)
        self.features.check()
        self.features_first = features_first
        self._text = text if isinstance(text, Tokenizer) else None
        self._kind = (
            {"class_path": class_path(text), "settings": text.settings()} if isinstance(text, Tokenizer) else dict(text)
        )
        self._symbols: list[str] = []
        self._ids: dict[str, int] = {}

    @property
    def text(self) -> Tokenizer:
        """The tokenizer of the text alone; its ids mean the same here.

        Raises:
            RuntimeError: It was made for a state that it was not given yet.
        """
        if self._text is None:
            raise RuntimeError("this FeatureTokenizer has no vocabulary yet: call load_state_dict first")
        return self._text

    @property
    def vocabulary_size(self) -> int:
        """The text's ids, and behind them one for each feature."""
        return self.text.vocabulary_size + len(self._symbols)

    def settings(self) -> dict[str, Setting | Any]:
        """Those of the text's tokenizer, and how features are written."""
        return {"text": self._kind, **asdict(self.features), "features_first": self.features_first}

    def joined(self, source: str, features: str) -> str:
        """The line of a source and its features; nothing where there is no source.

        Args:
            source: Text without a tab.
            features: What stands in the column.
        """
        if not source.strip():
            return ""
        return _BORDER.join((features, source) if self.features_first else (source, features))

    def train(self, sentences: Iterable[str]) -> None:
        """Learns the vocabulary of the text, and the features.

        Args:
            sentences: Lines of source and features; those without a tab are text alone, as targets are.

        Raises:
            UserError: There is no text, or no line has a feature.
        """
        counts: Counter[str] = Counter()
        self.text.train(self._texts(sentences, counts))
        if not counts:
            raise UserError("no line of the training text has a feature: name the column that has them")
        self._take(sorted(counts, key=lambda feature: (-counts[feature], feature)))

    def _texts(self, lines: Iterable[str], counts: Counter[str]) -> Iterator[str]:
        for line in lines:
            source, features = self.parted(line) if _BORDER in line else (line, "")
            counts.update(self.features.split(features))
            yield source

    def _take(self, symbols: Iterable[str]) -> None:
        self._symbols = list(symbols)
        self._ids = {symbol: id_ for id_, symbol in enumerate(self._symbols, start=self.text.vocabulary_size)}

    def encode(self, sentence: str) -> list[int]:
        """The ids of a line: first those of its features, then those of its text.

        Raises:
            UserError: It has no tab, or several.
        """
        return self.encode_all([sentence])[0]

    def encode_all(self, sentences: list[str]) -> list[list[int]]:
        """The ids of lines, each of features and text."""
        parted = [self.parted(sentence) if sentence.strip() else ("", "") for sentence in sentences]
        rows = self.text.encode_all([source for source, _ in parted])
        return [
            [self._ids.get(feature, UNK) for feature in self.features.split(features)] + row
            for (_, features), row in zip(parted, rows, strict=True)
        ]

    def unknown(self, sentence: str) -> list[str]:
        """What the vocabulary lacks of a line: of its features, then of its text."""
        features, text = self.unknown_parts(sentence)
        return features + text

    def unknown_parts(self, sentence: str) -> tuple[list[str], list[str]]:
        """What the vocabulary lacks of a line's features, and of its text: a letter may be called as a feature is.

        Args:
            sentence: As :meth:`encode` takes it.

        Raises:
            UserError: It has no tab, or several.
        """
        source, features = self.parted(sentence) if sentence.strip() else ("", "")
        return [each for each in self.features.split(features) if each not in self._ids], self.text.unknown(source)

    def extend_features(self, features: Iterable[str]) -> None:
        """Adds features after those that there are, and gives all of them the ids behind those of the text.

        Args:
            features: Each once; none where the text alone has more ids than before.
        """
        self._take([*self._symbols, *features])

    def parted(self, line: str) -> tuple[str, str]:
        """Source and features of a line.

        Raises:
            UserError: It has no tab, or several.
        """
        cells = line.split(_BORDER)
        if len(cells) != 2:
            order = "features and source" if self.features_first else "source and features"
            raise UserError(f"{len(cells) - 1} tabs: a line has {order}, with one tab between them")
        return (cells[1], cells[0]) if self.features_first else (cells[0], cells[1])

    def decode(self, ids: Iterable[int]) -> str:
        """The line of ids; where there are features, with a tab between them and the text."""
        size = self.text.vocabulary_size
        listed = [int(id_) for id_ in ids]
        source = self.text.decode(id_ for id_ in listed if id_ < size)
        features = self.features.separator.join(self._symbols[id_ - size] for id_ in listed if id_ >= size)
        return self.joined(source, features) if features else source

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces of the text, and the features by their names."""
        size = self.text.vocabulary_size
        listed = [int(id_) for id_ in ids]
        text = self.text.pieces(id_ if id_ < size else UNK for id_ in listed)
        return [piece if id_ < size else self._symbols[id_ - size] for id_, piece in zip(listed, text, strict=True)]

    def features_in(self, ids: Iterable[int]) -> list[str]:
        """The features among the ids of a line, in their order.

        Args:
            ids: As :meth:`encode` gives them.
        """
        first = self.text.vocabulary_size
        return [self._symbols[int(id_) - first] for id_ in ids if int(id_) >= first]

    def merges(self) -> dict[int, tuple[int, int]]:
        """Those of the text; a feature is a whole."""
        return self.text.merges()

    def trained_state(self) -> dict[str, Any]:
        """That of the text's tokenizer, and the features in the order of their ids."""
        return {"text": self.text.trained_state(), "features": list(self._symbols)}

    def load_trained_state(self, state: Mapping[str, Any]) -> None:
        """Takes it over.

        Raises:
            UserError: Something of it is missing.
        """
        text, features = state.get("text"), state.get("features")
        if not isinstance(text, Mapping) or not isinstance(features, list):
            raise UserError("damaged state of a FeatureTokenizer: its text or its features are missing")
        trained = {"settings": self._kind.get("settings"), "trained": text}
        self._text = restore_tokenizer({"class_path": self._kind.get("class_path"), "state": trained})
        self._take(map(str, features))


class ExcerptBesideFeatures(Excerpt):
    """An excerpt of the source alone, of lines that have its features too; these are read whole.

    Args:
        excerpt: How much of the source is read.
        tokenizer: Knows where in a line the source stands.
    """

    def __init__(self, excerpt: Excerpt, tokenizer: FeatureTokenizer) -> None:
        self._excerpt = excerpt
        self._tokenizer = tokenizer

    def of(self, source: str) -> str:
        """See :meth:`Excerpt.of`; a line without a tab, or with several, stays as it is: it is refused elsewhere."""
        if source.count(_BORDER) != 1:
            return source
        text, features = self._tokenizer.parted(source)
        return self._tokenizer.joined(self._excerpt.of(text), features)

    def cuts(self, source: str) -> bool:
        """See :meth:`Excerpt.cuts`."""
        return source.count(_BORDER) == 1 and self._excerpt.cuts(self._tokenizer.parted(source)[0])

    @property
    def told(self) -> str:
        """See :attr:`Excerpt.told`."""
        return self._excerpt.told

    def settings(self) -> Mapping[str, Any]:
        """Those of the excerpt."""
        return self._excerpt.settings()


def excerpt_of_lines(excerpt: Excerpt | None, tokenizer: Tokenizer | None) -> Excerpt | None:
    """How much of a line is read, which may have features beside the source.

    Args:
        excerpt: How much of a source is read; None for all of it.
        tokenizer: Of the lines, trained or not.
    """
    if excerpt is None or not isinstance(tokenizer, FeatureTokenizer):
        return excerpt
    return ExcerptBesideFeatures(excerpt, tokenizer)
