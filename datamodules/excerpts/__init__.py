"""How much of a long source is read: its first words, its last words, or the last turns of a dialogue."""

from datamodules.excerpts.counting import CountedSources, cut_remark
from datamodules.excerpts.excerpt import Excerpt
from datamodules.excerpts.turns import LastTurns
from datamodules.excerpts.words import FirstWords, LastWords

__all__ = ["CountedSources", "Excerpt", "FirstWords", "LastTurns", "LastWords", "cut_remark"]
