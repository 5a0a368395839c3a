"""A callback that times a search. It runs in the toolkit's virtual environment, which has no seqlab."""

from __future__ import annotations

import time

import lightning


class SearchClock(lightning.Callback):
    """Prints how long all batches took, from before the first to after the last: ``search took 12.345678 seconds``."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The clock starts."""
        self._start = time.perf_counter()

    def on_predict_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The clock is read."""
        print(f"search took {time.perf_counter() - self._start:.6f} seconds", flush=True)
