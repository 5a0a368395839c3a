"""Macro F1, and the confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Mapping

import lightning as L

from experiments.callbacks.classification.verdicts import Verdict, VerdictsCallback
from experiments.callbacks.text import class_names
from experiments.callbacks.text_metrics import EvaluationStage
from experiments.figures.confusion import confusion_figure
from experiments.loggers.media import log_figure
from experiments.metrics.classes import confusion_matrix, macro_f1
from lightning_modules.metrics import Scale
from lightning_modules.sequence_classifier import SequenceClassifier


class ClassScores(VerdictsCallback):
    """Logs macro F1, and draws which class is taken for which, in validation and in test.

    ``val/macro_f1`` and ``test/macro_f1`` are the mean over classes of ``2 TP / (2 TP + FP + FN)``. The mean is over
    the classes that the split has as a label or as a prediction, as scikit-learn's ``f1_score`` has it: one that has
    neither is left out, one that is only predicted counts as 0. The figures are in ``figures/`` in the run's directory,
    ``val-confusion-step000123.png`` and so on, and in the loggers that show pictures, as ``val/confusion``.
    """

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return {"val/macro_f1"}

    def metric_scales(self) -> dict[str, Scale]:
        """The units of the metrics that a training logs here, for pictures."""
        return {"val/macro_f1": Scale("macro F1", "higher")}

    def report(
        self, trainer: L.Trainer, module: SequenceClassifier, stage: EvaluationStage, verdicts: Mapping[int, Verdict]
    ) -> None:
        """Logs and draws; see :meth:`VerdictsCallback.report`."""
        classes = module.output.out_features
        matrix = confusion_matrix([(each.label, each.predicted) for each in verdicts.values()], classes)
        # Every rank has the same score: its maximum over the ranks is that score to the last bit.
        module.log(f"{stage}/macro_f1", macro_f1(matrix), sync_dist=True, reduce_fx="max")
        if trainer.is_global_zero:
            title = f"step {trainer.global_step:,}"
            figure = confusion_figure(matrix, class_names(trainer) or [str(each) for each in range(classes)], title)
            log_figure(trainer, f"{stage}/confusion", figure, trainer.global_step)
