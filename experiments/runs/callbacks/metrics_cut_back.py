"""The metrics file of a resumed run goes on where its checkpoint was written."""

from __future__ import annotations

import lightning as L

from experiments.runs.loggers import MetricsCSV


class MetricsCutBack(L.Callback):
    """Cuts ``metrics.csv`` back to the checkpoint that training goes on from, so that no row comes twice."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Cuts, on rank zero, after the checkpoint was restored and before anything is logged.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV):
                logger.cut_back(trainer.global_step)
