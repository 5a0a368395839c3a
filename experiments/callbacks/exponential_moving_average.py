"""An average of the weights over the updates of a training."""

from __future__ import annotations

from functools import partial
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.hooks import RemovableHandle

from datamodules.batch import Batch
from datamodules.errors import UserError

_TRAINED = "trained_weights"


class ExponentialMovingAverage(L.Callback):
    """Averages the weights over the updates (Polyak and Juditsky 1992), and validates the average in their place.

    After each update ``average = d * average + (1 - d) * weights``. The average is what a validation measures, and what
    every checkpoint of the training has as its weights: the best one is chosen by it, and translates with it. What is
    trained stands in ``last.ckpt`` beside it, and a training resumes with both. Buffers are not averaged.

    Args:
        decay: d, the share of the average that an update leaves. At 0.999 it is over the last thousand updates or so.
        warmup: Let d grow, as ``(1 + n) / (10 + n)`` at update n, up to the decay: so early weights are soon forgotten.

    Raises:
        UserError: ``decay`` is outside [0, 1).
    """

    def __init__(self, decay: float = 0.999, warmup: bool = True) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"decay of {type(self).__name__} is {decay}: give 0 or more, and less than 1")
        self.decay = decay
        self.warmup = warmup
        self._others: dict[str, Tensor] = {}  # by name: the average, or, while the model has that, what is trained
        self._has_average = False
        self._updates = 0
        self._last_step = 0
        self._hook: RemovableHandle | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Lets checkpoints have the average from here on, those too that have nothing but weights."""
        if stage == "fit":
            self._others, self._has_average, self._updates, self._last_step = {}, False, 0, 0
            self._hook = pl_module.register_state_dict_post_hook(partial(self._with_average))  # torch marks it

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """The model has the average by now."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes the average from the model, which has it of the checkpoint, and gives the model what is trained."""
        state = checkpoint["callbacks"].get(self.state_key)
        if trainer.state.fn == TrainerFn.FITTING and state is not None:
            self._others = {name: weight.clone() for name, weight in state[_TRAINED].items()}
            self._exchange(pl_module)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins with the first weights, where no checkpoint had an average."""
        weights = _weights(pl_module)
        first = self._others or {name: weight.clone() for name, weight in weights.items()}
        self._others = {name: value.to(weights[name].device) for name, value in first.items()}

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Training goes on with what is trained."""
        if self._has_average:
            self._exchange(pl_module)
            self._has_average = False

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        """Averages, where the batch was the last one of an update."""
        if trainer.global_step == self._last_step:
            return
        self._last_step = trainer.global_step
        self._updates += 1
        grown = (1 + self._updates) / (10 + self._updates) if self.warmup else self.decay
        weights = _weights(pl_module)
        average = get_ema_multi_avg_fn(min(self.decay, grown))
        average([self._others[name] for name in weights], list(weights.values()), self._updates)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Validates the average; the model keeps it until the next batch, also for what is drawn and saved then."""
        self._show_average(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The trained model is the average."""
        self._show_average(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Where the average is in the training; :meth:`on_save_checkpoint` adds the weights."""
        return {"updates": self._updates, "last_step": self._last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes it over."""
        self._updates, self._last_step = state_dict["updates"], state_dict["last_step"]

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds what is trained, for a training that resumes."""
        trained = self._others if self._has_average else _weights(pl_module)
        checkpoint["callbacks"][self.state_key][_TRAINED] = dict(trained)

    def _show_average(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING and self._others and not self._has_average:
            self._exchange(pl_module)
            self._has_average = True

    def _exchange(self, module: nn.Module) -> None:
        """Gives the model the other weights, and keeps those that it has."""
        for name, weight in _weights(module).items():
            before = weight.clone()
            weight.copy_(self._others[name])
            self._others[name] = before

    def _with_average(self, module: nn.Module, state_dict: dict[str, Any], prefix: str, _metadata: object) -> None:
        """Puts the average into what a checkpoint keeps of the model."""
        if self._has_average or not self._others:
            return
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        for name, parameter in module.named_parameters(remove_duplicate=False):  # tied ones have several names
            state_dict[prefix + name] = self._others[names[id(parameter)]]


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """The parameters of a model, without their gradients: to be read and written in place."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}
