"""What a classifier of texts attends to."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datamodules.batch import LabelledBatch
from experiments.callbacks.classification.verdicts import classifier
from experiments.callbacks.text import class_names, gathered, text_data
from experiments.callbacks.watched_sentences import watched_sentences
from experiments.figures.alignment import alignment_figure
from experiments.loggers.media import log_figure


class WordAttention(L.Callback):
    """Draws which words count in a few validation texts, at each validation of a training; for ``AttentionPooling``.

    The figures are in ``figures/`` in the run's directory, ``val-attention_1-step000123.png`` and so on, and in the
    loggers that show pictures, as ``val/attention_1``. Each says which label is predicted, and which is right.

    Args:
        sentences: How many, spread over the validation set.
    """

    def __init__(self, sentences: int = 4) -> None:
        self.sentences = sentences
        self._seen: dict[int, tuple[list[int], list[float], int, int]] = {}

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor,  # type: ignore[override]  # Lightning's is any output
        batch: LabelledBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps ids, weights, label and prediction of the texts that are watched.

        Raises:
            UserError: The pooling has no weights, or the data no text.
        """
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        watched = set(watched_sentences(self.sentences, len(text_data(trainer).sources("val"))))
        rows = [row for row, index in enumerate(batch.index.tolist()) if index in watched]
        if not rows:
            return
        with torch.no_grad():
            weights = classifier(pl_module, type(self).__name__).attend(batch.source)
        for row in rows:
            length = int(batch.source.lengths[row])
            ids, share = batch.source.values[row, :length].tolist(), weights[row, :length].tolist()
            self._seen[int(batch.index[row])] = (ids, share, int(batch.label[row]), int(outputs[row].argmax()))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures, on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        seen = gathered(self._seen)
        self._seen = {}
        if not seen or not trainer.is_global_zero:
            return
        data, names = text_data(trainer), class_names(trainer)
        texts = data.sources("val")
        for number, index in enumerate(watched_sentences(self.sentences, len(texts)), start=1):
            if index not in seen:
                continue
            ids, weights, label, predicted = seen[index]
            right = "" if label == predicted else f", right is {names[label]}"
            pieces = data.spellings(texts[index])[0].pieces(ids)
            title = f"step {trainer.global_step:,}: {names[predicted]}{right}"
            figure = alignment_figure(pieces, [names[predicted]], [weights], title)
            log_figure(trainer, f"val/attention_{number}", figure, trainer.global_step)
