"""Products in bfloat16 while a model is trained on the CPU."""

from __future__ import annotations

from typing import Any, Literal

import lightning as L
from lightning.pytorch.utilities import rank_zero_info

from datamodules.batch import Batch
from datamodules.errors import UserError
from lightning_modules.kernels import bfloat16

LEAST_GAIN = 1.5
"""How many times as fast large products have to be in bfloat16 to be made so: rows that fill them up cost something."""


class Bfloat16Products(L.Callback):
    """Multiplies large float32 matrices in bfloat16 while a model is trained, where this processor is faster so.

    Both factors of a product are rounded to bfloat16 (a significand of 8 bits, not 24), its sums are float32. Weights,
    gradients, states and the optimizer stay float32; validations multiply in float32. Processors with units for it
    (AMX, AVX-512 BF16) make such products several times as fast; on others nothing changes. A training resumes with
    what it began with.

    Args:
        when: 'faster' times both first; 'always' does not ask.

    Raises:
        UserError: ``when`` is something else.
    """

    def __init__(self, when: Literal["faster", "always"] = "faster") -> None:
        if when not in ("faster", "always"):
            raise UserError(f"when of {type(self).__name__} is {when!r}: give 'faster' or 'always'")
        self.when = when
        self._rounds: bool | None = None
        self._scope = bfloat16.Bfloat16Products()
        self._is_within = False

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Decides, unless a checkpoint has decided; all processes alike.

        Raises:
            UserError: The training is not one in float32 on the CPU.
        """
        name = type(self).__name__
        if pl_module.device.type != "cpu":
            raise UserError(f"{name} is for the CPU: leave it out, and take --trainer.precision bf16-mixed on a GPU")
        if trainer.precision != "32-true":
            raise UserError(
                f"{name} multiplies float32 matrices, but trainer.precision is {trainer.precision}: leave one of them "
                "out"
            )
        if self._rounds is None:
            self._rounds = trainer.strategy.broadcast(self._is_faster())

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """From here on, after a validation again."""
        self._enter()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """What is measured is made in float32."""
        self._leave()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Until here."""
        self._leave()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Whatever ends the training."""
        self._leave()

    def state_dict(self) -> dict[str, Any]:
        """What was decided."""
        return {"rounds": self._rounds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it over."""
        self._rounds = state_dict["rounds"]

    def _is_faster(self) -> bool:
        if self.when == "always":
            return True
        gain = bfloat16.bfloat16_gain()
        used = "used" if gain >= LEAST_GAIN else "not used"
        rank_zero_info(f"large products in bfloat16 take {1 / gain:.2f} of float32's time here: {used}")
        return gain >= LEAST_GAIN

    def _enter(self) -> None:
        if self._rounds and not self._is_within:
            self._scope.__enter__()
            self._is_within = True

    def _leave(self) -> None:
        if self._is_within:
            self._scope.__exit__(None, None, None)
            self._is_within = False
