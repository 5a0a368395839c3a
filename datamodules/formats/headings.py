"""Words that stand over columns: the first line of a table without a header is a header where it has such."""

from __future__ import annotations

import functools

_HEADINGS = frozenset(
    {"source", "target", "src", "tgt", "trg", "input", "output", "text", "sentence", "translation", "reference"}
    | {"lemma", "form", "features", "tags", "word", "phones", "phonemes", "pronunciation", "question", "answer"}
    | {"label", "class", "category"}
)


def is_heading(cell: str) -> bool:
    """Whether a cell is like the name of a column: what sentences are called, or a language, or its code.

    Args:
        cell: The text of a cell of the first line.
    """
    name = cell.strip().strip('"').lower()
    return name in _HEADINGS or name in _languages()


@functools.cache
def _languages() -> frozenset[str]:
    """The English names and the codes of languages (CLDR)."""
    from babel import Locale  # whoever has no table does without

    names = Locale("en").languages
    return frozenset(str(name).lower() for code in names for name in (code, names[code]))
