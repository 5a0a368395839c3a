"""The loss per token over a whole optimizer step: all processes and all accumulated batches together."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from datamodules.batch import Batch
from datamodules.errors import RunFailed, UserError
from datamodules.hyperparameters import DATA, MODEL, classes_of_script, described_module
from lightning_modules.forcing import Forcing
from lightning_modules.schedules import WarmupSchedule, interval_of, monitor_of, timed_in
from lightning_modules.shapes import check_shapes
from lightning_modules.training.configured import configured
from lightning_modules.training.contracts import check_first_calls
from lightning_modules.training.locations import place_of
from lightning_modules.training.module import LightningModule, LRSchedulerCallable, OptimizerCallable
from lightning_modules.training.optimizer_options import apply_given_options
from lightning_modules.training.step_batches import StepBatches
from lightning_modules.training.trainer_parts import data_of

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler

OPTIMIZER, SCHEDULER = "model.init_args.optimizer", "model.init_args.scheduler"
"""Their keys in a config."""

_CLIP_EPSILON = 1e-6
"""As in ``torch.nn.utils.clip_grad_norm_``."""


class StepLossModule(LightningModule):
    """A LightningModule whose gradient is that of the mean loss per token of the whole optimizer step.

    How many tokens a step has is not known at its first batch, and differs between processes. So ``training_step``
    returns :meth:`scaled_loss`, the loss summed over this process's tokens, and before the step and any clipping
    the gradients are divided by the tokens of the step. Also logs ``train/gradient_norm``, after that division and
    before clipping, and ``train/learning_rate``. A token is whatever the loss is a sum over: a target token of a
    translation, or the one label of a sequence.

    Args:
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
    """

    def __init__(self, optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None) -> None:
        super().__init__()
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._step_batches = StepBatches()

    def scaled_loss(self, loss: Tensor, tokens: int, index: Tensor) -> Tensor:
        """What ``training_step`` returns.

        Args:
            loss: Scalar, the loss summed over the batch's tokens on this process.
            tokens: How many they are.
            index: ``(batch,)``, the position of each example in its corpus.

        Returns:
            The loss, with Lightning's division by the number of accumulated batches undone.
        """
        self._step_batches.add(loss, tokens, index)
        return loss * self.trainer.accumulate_grad_batches

    def zero_loss(self) -> Tensor:
        """The loss of a process whose share of a batch is empty: 0, and a gradient of 0 for every parameter."""
        return torch.stack([parameter.sum() * 0.0 for parameter in self.parameters()]).sum()

    def chance_loss(self, batch: Batch) -> float | None:
        """The mean loss, as ``train/loss`` has it, of a model that has learned nothing, and guesses evenly.

        Args:
            batch: At least one example; where the loss has no bound of its own, its targets say what is large.

        Returns:
            The loss, or None where a subclass knows of none.
        """
        return None

    def check_evaluation(self, loss: Tensor, index: Tensor) -> None:
        """Stops a run whose weights are spoilt.

        Args:
            loss: Scalar, of a batch in validation or test.
            index: ``(batch,)``, the position of each example in its corpus.

        Raises:
            RunFailed: It is NaN or infinite.
        """
        if not loss.isfinite():
            place = place_of(self.trainer, "test" if self.trainer.testing else "val", index)
            rates = [f" (learning rate {each.param_groups[0]['lr']:.3g})" for each in self.trainer.optimizers]
            raise RunFailed(
                f"the loss of an evaluation is NaN or infinite at step {self.trainer.global_step}{''.join(rates)}, "
                f"in a batch of {place}: the weights are spoilt; resume from an earlier checkpoint with a lower rate"
            )

    def forcing_ratio(self, forcing: Forcing | None) -> float:
        """The share of gold inputs at this step, logged as ``train/forcing_ratio`` where there is a schedule.

        Args:
            forcing: With its schedule; none is teacher forcing, a ratio of 1.
        """
        if forcing is None:
            return 1.0
        batches = int(self.trainer.num_training_batches) if math.isfinite(self.trainer.num_training_batches) else 1
        steps_per_epoch = max(1, -(-batches // self.trainer.accumulate_grad_batches))
        ratio = forcing.schedule.ratio(self.trainer.global_step, steps_per_epoch)
        self.log("train/forcing_ratio", ratio)
        return ratio

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here; a subclass adds its own."""
        return {"train/gradient_norm", "train/learning_rate"}

    def monitored_by_schedule(self) -> str | None:
        """The metric that the schedule waits for; None where it looks at none.

        Raises:
            UserError: It has to wait for one, and says none.
        """
        return monitor_of(self._scheduler(self._optimizer(self.parameters()))) if self._scheduler is not None else None

    def check_optimizer(self) -> None:
        """Makes optimizer and schedule for a try, and lets them take two steps that change no weight.

        Raises:
            UserError: An argument of theirs is refused; names its key.
        """
        optimizer = configured(OPTIMIZER, self._optimizer, list(self.parameters()))
        if self._scheduler is not None:
            configured(SCHEDULER, self._scheduler, optimizer, _take_two_steps)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and the schedule, stepped per update where it does not say otherwise."""
        optimizer = configured(OPTIMIZER, self._optimizer, list(self.parameters()))
        if self._scheduler is None:
            return optimizer
        scheduler = configured(SCHEDULER, self._scheduler, optimizer)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])  # as most schedules do, so that a resumed run knows both
        if isinstance(scheduler, WarmupSchedule):
            updates = self.trainer.estimated_stepping_batches
            if math.isfinite(updates):
                scheduler.plan(int(updates))
        interval = "epoch" if interval_of(scheduler) == "epoch" else "step"
        # What waits for a metric is no matter of Lightning's either: see ValidationSteps.
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": interval, "reduce_on_plateau": False},
        }

    def configure_callbacks(self) -> list[Callback]:
        """What steps the schedules that are stepped after validations."""
        from lightning_modules.training.validation_steps import ValidationSteps  # which translating alone goes without

        return [ValidationSteps()]

    def on_fit_start(self) -> None:
        """Sees, before anything is trained, whether parts fit, and checkpoints can keep how model and data were made.

        Raises:
            UserError: One of their arguments cannot be written as plain values.
        """
        check_first_calls(self)
        if not self.trainer.checkpoint_callbacks:
            return
        names = classes_of_script(self._described())
        if names and self.trainer.is_global_zero:
            warnings.warn(
                f"no other process can read the checkpoints of this training, for {', '.join(names)} is defined in a "
                "script or a notebook: define it in a module, and import it from there",
                stacklevel=2,
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps how model and data were made as plain values: the checkpoint is enough then, as one of ``seqlab fit``.

        Raises:
            UserError: An argument cannot be written as plain values.
        """
        checkpoint.update(self._described())

    def _described(self) -> dict[str, Any]:
        """What a checkpoint keeps of the arguments of model and data."""
        data = data_of(self.trainer)
        # Of its own copy Lightning leaves out what cannot be pickled.
        described = {MODEL: described_module(self, self.hparams_initial)}
        return described if data is None else {**described, DATA: described_module(data, data.hparams)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Compares shapes before any weight is loaded.

        Raises:
            UserError: A shape differs from that of the checkpoint.
        """
        check_shapes(self, checkpoint["state_dict"], "--ckpt_path")

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:  # noqa: ANN401 - Lightning's
        """Steps a schedule, but for those that are stepped after validations.

        Raises:
            UserError: The schedule has no further step.
        """
        if interval_of(scheduler) == "validation":
            return
        try:
            super().lr_scheduler_step(scheduler, metric)
        except (ValueError, ArithmeticError) as error:
            raise UserError(f"{SCHEDULER}: {error}") from error

    def on_train_start(self) -> None:
        """Options of the optimizer that were given win over those of a restored state."""
        self._step_batches.clear()
        if self.trainer.global_step == 0:  # nothing was restored, and a schedule may begin with a rate of its own
            return
        for optimizer in self.trainer.optimizers:
            apply_given_options(optimizer, [timed_in(each.scheduler) for each in self.trainer.lr_scheduler_configs])

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Divides the gradients by the step's tokens and clips them, and stops the run where they are not finite.

        The division and the clipping by norm are one multiplication: gradients are as large as the model, and each pass
        over them costs.

        Raises:
            RunFailed: The loss or a gradient is NaN or infinite.
        """
        tokens = torch.tensor(self._step_batches.tokens, device=self.device)
        tokens = self.trainer.strategy.reduce(tokens, reduce_op="sum")
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        # DDP has averaged the gradients over processes; their sum is wanted.
        factor = self.trainer.world_size / max(1, int(tokens))
        norm = _total_norm(gradients) * factor
        # Mixed precision in 16 bits tries a scale, and skips the step itself where that was too large.
        scales = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        rate = float(optimizer.param_groups[0]["lr"])
        if not scales:
            self._check_finite(norm, rate)
        self._step_batches.clear()
        self.log("train/gradient_norm", norm)
        self.log("train/learning_rate", rate)
        by_norm = gradient_clip_algorithm in (None, "norm") and not scales
        if by_norm and gradient_clip_val:
            _multiply(gradients, factor * (gradient_clip_val / (norm + _CLIP_EPSILON)).clamp(max=1.0))
        else:
            _multiply(gradients, factor)
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def _check_finite(self, norm: Tensor, rate: float) -> None:
        """Refuses gradients that are NaN or infinite.

        Raises:
            RunFailed: They are: the message has the step, and the batch that it came of.
        """
        if torch.isfinite(norm):
            return
        in_loss, index = self._step_batches.suspects()
        raise RunFailed(
            f"the {'loss' if in_loss else 'gradient'} became NaN or infinite at step {self.trainer.global_step} "
            f"(learning rate {rate:.3g}), in a batch of {place_of(self.trainer, 'train', index)}: nothing of this "
            "step was applied; lower the learning rate or gradient_clip_val, and resume from the last checkpoint "
            "with --ckpt_path last"
        )


def _multiply(gradients: list[Tensor], factor: float | Tensor) -> None:
    """Multiplies all of them in place; in one call where torch has its operation, which is private."""
    if hasattr(torch, "_foreach_mul_"):
        torch._foreach_mul_(gradients, factor)
    else:
        for gradient in gradients:
            gradient.mul_(factor)


def _take_two_steps(scheduler: LRSchedulerTypeUnion) -> None:
    """Steps a schedule as training does; without gradients its optimizer changes nothing."""
    if isinstance(scheduler, LRScheduler) and monitor_of(scheduler) is None:
        for _ in range(2):
            scheduler.optimizer.step(lambda: 0.0)
            scheduler.step()


def _total_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients together; on the CPU from their rows', which are made on all cores."""
    if not gradients or gradients[0].device.type != "cpu":
        return nn.utils.get_total_norm(gradients)
    rows = [torch.linalg.vector_norm(each, dim=-1) for each in gradients]
    return nn.utils.get_total_norm(rows, foreach=False)
