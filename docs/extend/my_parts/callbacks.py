"""A callback of my own."""

from time import perf_counter

import lightning as L


class ValidationClock(L.Callback):
    """Logs how long a validation takes, as ``val/seconds``."""

    def __init__(self) -> None:
        self._begun = 0.0

    def logged_metrics(self) -> set[str]:
        """What is logged here: a monitor that is mistyped is told before training."""
        return {"val/seconds"}

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock."""
        self._begun = perf_counter()

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs, unless Lightning only tries whether a validation runs."""
        if not trainer.sanity_checking:
            pl_module.log("val/seconds", perf_counter() - self._begun)
