"""Which sentences of a source a model attended to, drawn in the same validation sources through a training."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.callbacks.text import SentencePairs, written
from experiments.callbacks.watched_sentences import Watched, WatchedAttention
from experiments.figures.importance import importance_figure, sentence_weights


class SentenceImportance(WatchedAttention):
    """Draws sources of several sentences, each the darker the more of the attention is on it, at each validation.

    The figures are in ``figures/`` in the run's directory, ``val-importance_1-step000123.png`` and so on, and in the
    loggers that show pictures, as ``val/importance_1``. A model without attention has none.

    Args:
        sources: How many, spread over the validation set.
    """

    figure_name = "importance"

    def __init__(self, sources: int = 3) -> None:
        super().__init__(sources)
        self.sources = sources

    def drawn(self, data: SentencePairs, watched: Watched, title: str) -> Figure:
        """The source, shaded by sentence, and what was written; see :meth:`WatchedAttention.drawn`."""
        text = data.sources("val")[watched.index]
        pieces = data.spellings(text)[0].pieces(watched.source)
        weights = sentence_weights(text, pieces, watched.weights[:, : len(pieces)])
        return importance_figure(text, written(data, "val", watched.index, watched.hypothesis), weights, title)
