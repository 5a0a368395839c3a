"""What a page asks about one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datamodules.errors import UserError
from experiments.explorer.fields import Fields

LONGEST_SOURCE = 4000
"""Characters of a source."""

MOST_TOKENS = 512
"""Tokens of a source or a prefix: what is seen grows with their product."""

MOST_IDS = 2**31 - 1

How = Literal["beam", "sampling"]


@dataclass(frozen=True)
class Look:
    """One sentence, and how it is translated and looked at.

    Attributes:
        source: The sentence.
        prefix: Target ids that hypotheses begin with.
        left_out: Positions of the source's pieces that the model does not get at all.
        hidden: Positions that the encoder reads and the decoder may not attend to.
        padding: Positions of padding behind the source.
        how: Beam search, or sampling.
        beam_size: Prefixes kept; 1 is greedy.
        n_best: Hypotheses, or samples.
        length_penalty: Of beam search.
        coverage_penalty: Of beam search.
        temperature: Of sampling.
        top_k: Of sampling; 0 for all tokens.
        top_p: Of sampling.
        seed: Of the draws.
        attention_temperature: What the attention's scores are divided by, beside its own temperature.
        length: Tokens that a hypothesis has to have; None for what the model ends by itself.
        chosen: Which hypothesis is looked at, the best 0.
    """

    source: str
    prefix: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    padding: int = 0
    how: How = "beam"
    beam_size: int = 5
    n_best: int = 3
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    attention_temperature: float = 1.0
    length: int | None = None
    chosen: int = 0

    @classmethod
    def of_fields(cls, fields: Fields) -> Look:
        """Reads what was asked.

        Raises:
            UserError: A field has the wrong type, or is out of bounds.
        """
        source = fields.text("source", longest=LONGEST_SOURCE)
        if not source.strip():
            raise UserError("source is empty: type a sentence")
        return cls(
            source=source,
            prefix=tuple(fields.wholes("prefix", MOST_TOKENS, MOST_IDS)),
            left_out=tuple(fields.wholes("left_out", MOST_TOKENS, MOST_TOKENS)),
            hidden=tuple(fields.wholes("hidden", MOST_TOKENS, MOST_TOKENS)),
            padding=fields.whole("padding", 0, 0, 8),
            how=fields.choice("how", "beam", ("beam", "sampling")),
            beam_size=fields.whole("beam_size", 5, 1, 32),
            n_best=fields.whole("n_best", 3, 1, 32),
            length_penalty=fields.number("length_penalty", 1.0, 0.0, 10.0),
            coverage_penalty=fields.number("coverage_penalty", 0.0, 0.0, 10.0),
            temperature=fields.number("temperature", 1.0, 0.01, 100.0),
            top_k=fields.whole("top_k", 0, 0, MOST_IDS),
            top_p=fields.number("top_p", 1.0, 0.001, 1.0),
            seed=fields.whole("seed", 0, 0, MOST_IDS),
            attention_temperature=fields.number("attention_temperature", 1.0, 0.01, 100.0),
            length=fields.whole_or_none("length", 1, MOST_TOKENS),
            chosen=fields.whole("chosen", 0, 0, 31),
        )
