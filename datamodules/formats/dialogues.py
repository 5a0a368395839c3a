"""Dialogues as JSON lines: an object with the turns of a whole dialogue in each line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.corpora.corpus import Decode, check_characters, find_file, read_lines
from datamodules.errors import UserError, suggest
from datamodules.excerpts.turns import MARKERS
from datamodules.formats.cells import one_line
from datamodules.formats.columns import Columns, Row, preceded
from datamodules.formats.json_lines import record_of

_FORM = '{"turns": [{"speaker": "user", "text": "Hello."}, ...]}'

_SEPARATOR = " ; "
"""Between the acts of a turn that gives several."""


_MARKERS = dict(zip(("user", "system"), MARKERS, strict=True))


@dataclass(frozen=True)
class DialogueFile:
    """A file with a dialogue in each line; each turn of who answers is a row: what was said before it, and itself.

    ``{"turns": [{"speaker": "user", "text": "A table for two."}, {"speaker": "system", "text": "When?", "acts":
    "REQUEST time"}]}``.

    Args:
        dialogues: The file; .gz, .bz2, .xz and .zst too. An empty line is passed over.
        turns: Key of the turns.
        speaker: Key of who speaks in a turn.
        text: Key of what is said.
        before: Key of what an answer has to say, such as ``acts``, text or a list of texts, which is read before what
            was said; a turn may lack it. Null where what was said is all.
        response: Key of what is to be written; ``text`` where nothing else is named.
        markers: The marker of each speaker, as ``LastTurns`` has them; the last one is who answers. If not given,
            ``{user: <usr>, system: <sys>}``.
    """

    dialogues: str
    turns: str = "turns"
    speaker: str = "speaker"
    text: str = "text"
    before: str | None = None
    response: str | None = None
    markers: dict[str, str] | None = None

    @property
    def chosen(self) -> Columns:
        """Where source and target stand; there are no features."""
        return Columns(self.text, self.response or self.text, before=self.before)

    @property
    def opening(self) -> list[str]:
        """The markers that open turns, that of who answers last."""
        return list((self.markers or _MARKERS).values())

    @property
    def counts_lines(self) -> bool:
        """Whether the number of a row is that of its line."""
        return False

    def layout(self) -> dict[str, object]:
        """What decides, beside the bytes of the file, which rows it has."""
        return {name: value for name, value in vars(self).items() if name != "dialogues"}

    def files(self) -> list[Path]:
        """The file, found.

        Raises:
            UserError: It does not exist.
        """
        return [find_file(self.dialogues)]

    def rows(self, decode: Decode | None = None) -> Iterator[Row]:
        """All rows in order: what was said, each turn opened by its marker, and the response.

        Args:
            decode: As :func:`datamodules.corpora.corpus.read_lines` takes it.

        Raises:
            UserError: The file is missing, empty or broken, a line is no JSON object, has no turns, or a turn lacks
                something.
        """
        return (row for _, row in self.rows_of_dialogues(decode))

    def rows_of_dialogues(self, decode: Decode | None = None) -> Iterator[tuple[str, Row]]:
        """The same rows, each with all that is said in its dialogue, which no other dialogue has unless it is the same.

        Args:
            decode: As :meth:`rows` takes it.

        Raises:
            UserError: As :meth:`rows`.
        """
        (path,) = self.files()
        for number, line in enumerate(read_lines(path, decode), start=1):
            if line.strip():
                place = f"{path}, line {number}"
                said: list[str] = []
                rows = list(self._rows(record_of(line, place), place, said))
                yield from ((" ".join(said), row) for row in rows)

    def _rows(self, record: Mapping[str, object], place: str, said: list[str]) -> Iterator[Row]:
        """The rows of a dialogue; what is said is added to the list, all of it once they were read."""
        turns = record.get(self.turns)
        if not isinstance(turns, list) or not turns:
            raise UserError(f"{place}: it has no {self.turns!r}: give {_FORM}")
        markers = self.markers or _MARKERS
        *_, answering = markers
        for position, turn in enumerate(turns, start=1):
            here = f"{place}, turn {position}"
            if not isinstance(turn, dict):
                raise UserError(f"{here}: it is no object: give {_FORM}")
            speaker = self._said(turn, self.speaker, here)
            if speaker not in markers:
                raise UserError(f"{here}: {self.speaker!r} is {speaker!r}: {suggest(speaker, markers)}")
            if speaker == answering and said:
                before = self._said(turn, self.before, here) if self.before is not None and self.before in turn else ""
                yield preceded(before, " ".join(said)), "", self._said(turn, self.response or self.text, here)
            words = self._said(turn, self.text, here)
            if not words.strip():
                raise UserError(f"{here}: {self.text!r} is empty: give what was said, or leave the turn out")
            said += [markers[speaker], words]

    def _said(self, turn: Mapping[str, object], key: str, place: str) -> str:
        """What stands in a turn, in one line; a list of texts becomes one text, any other list is given as JSON."""
        value = turn.get(key)
        if isinstance(value, list):
            are_texts = value and all(isinstance(each, str) for each in value)
            value = _SEPARATOR.join(value) if are_texts else json.dumps(value, ensure_ascii=False)
        if not isinstance(value, str):
            kind = "missing" if value is None else f"a {type(value).__name__}"
            raise UserError(f"{place}: {key!r} is {kind}: give text")
        text = one_line(value)
        check_characters(text, place)
        return text
