"""How the attention of a model sharpens, seen on a few validation sentences."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datamodules.batch import EOS, PAD, SPECIAL_PIECES
from experiments.figures.alignment import alignment_figure
from experiments.runs.callbacks.text import parallel_text, translate_watched, watched_sentences
from experiments.runs.loggers.media import log_figure


class AlignmentFigures(L.Callback):
    """Draws what a model attends to in the same validation sentences, at each validation of a training.

    The figures are in ``figures/`` in the run's directory, ``val-alignment_1-step000123.png`` and so on, and in the
    loggers that show pictures, as ``val/alignment_1``. A model without attention has none.

    Args:
        sentences: How many, spread over the validation set.
    """

    def __init__(self, sentences: int = 3) -> None:
        self.sentences = sentences

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures, on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING or not trainer.is_global_zero:
            return
        data = parallel_text(trainer)
        texts = data.sources("val")
        watched = watched_sentences(self.sentences, len(texts))
        translations = translate_watched(trainer, pl_module, watched, with_attention=True)
        for number, (index, (source, hypothesis)) in enumerate(zip(watched, translations, strict=True), start=1):
            if hypothesis.attention is None:
                return
            weights = hypothesis.attention.detach().float().cpu()
            of_source, of_target = data.spellings(texts[index])
            columns = of_source.pieces(source)
            columns += [SPECIAL_PIECES[PAD]] * _padding(weights, len(columns))
            # A hypothesis that was cut at the maximum length has no row for EOS.
            rows = of_target.pieces([*hypothesis.ids, EOS][: len(weights)])
            figure = alignment_figure(columns, rows, weights, f"step {trainer.global_step:,}")
            log_figure(trainer, f"val/alignment_{number}", figure, trainer.global_step)


def _padding(weights: Tensor, source_length: int) -> int:
    """How many columns are padding, after a look at whether they are 0, as they have to be."""
    padding = weights[:, source_length:]
    if torch.count_nonzero(padding):
        raise ValueError(f"attention of shape {tuple(weights.shape)} is not 0 beyond {source_length} source tokens")
    return padding.shape[1]
