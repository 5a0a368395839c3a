"""The learning curves of a run as a picture in its directory."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from experiments.figures.curves import learning_curves
from experiments.loggers import MetricsCSV
from experiments.loggers.media import write_figure
from experiments.storage.layout import FIGURES
from lightning_modules.metrics import Scale
from lightning_modules.training.trainer_parts import callbacks_of

CURVES = "curves.png"


class CurveFigures(L.Callback):
    """Writes ``figures/curves.png`` from the run's ``metrics.csv`` when training ends."""

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws what was logged, on rank zero.

        Raises:
            RunFailed: The file cannot be written, for example on a full disk.
        """
        if not trainer.is_global_zero:
            return
        scales: dict[str, Scale] = {}
        for part in (pl_module, *callbacks_of(trainer)):
            scales |= getattr(part, "metric_scales", dict)()
        for logger in trainer.loggers:
            if isinstance(logger, MetricsCSV) and logger.path.exists():
                write_figure(learning_curves(logger.path, scales), Path(trainer.default_root_dir) / FIGURES / CURVES)
