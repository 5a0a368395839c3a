"""Which sentences of a source a model attended to, drawn in the same validation sources through a training."""

from __future__ import annotations

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn

from experiments.callbacks.text import sentence_pairs, written
from experiments.callbacks.watched_sentences import translate_watched, watched_sentences
from experiments.figures.importance import importance_figure, sentence_weights
from experiments.loggers.media import log_figure


class SentenceImportance(L.Callback):
    """Draws sources of several sentences, each the darker the more of the attention is on it, at each validation.

    The figures are in ``figures/`` in the run's directory, ``val-importance_1-step000123.png`` and so on, and in the
    loggers that show pictures, as ``val/importance_1``. A model without attention has none.

    Args:
        sources: How many, spread over the validation set.
    """

    def __init__(self, sources: int = 3) -> None:
        self.sources = sources

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures, on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        data = sentence_pairs(trainer)
        texts = data.sources("val")
        watched = watched_sentences(self.sources, len(texts))
        found = translate_watched(trainer, pl_module, watched, with_attention=True)
        for number, (index, (source, hypothesis)) in enumerate(zip(watched, found, strict=True), start=1):
            if hypothesis.attention is None:
                return
            pieces = data.spellings(texts[index])[0].pieces(source)
            attention = hypothesis.attention.detach().float().cpu()[:, : len(pieces)]
            weights = sentence_weights(texts[index], pieces, attention)
            summary = written(data, "val", index, hypothesis)
            figure = importance_figure(texts[index], summary, weights, f"step {trainer.global_step:,}")
            log_figure(trainer, f"val/importance_{number}", figure, trainer.global_step)
