"""The names that seqlab uses of other packages though they are private there, and so may be gone in any new version.

``pyproject.toml`` has an upper bound for each of these packages. Before it is raised, ``test_private_names.py`` is run
with the new version: it says which name is gone.
"""

from __future__ import annotations

PRIVATE_NAMES: dict[str, tuple[str, ...]] = {
    # torch
    "torch": ("_foreach_mul_", "_make_per_channel_quantized_tensor"),
    "torch.Tensor": ("_version",),
    "torch.nn.Module": ("_modules",),
    "torch.ops.aten": ("sigmoid_backward",),
    "torch.ops.mkldnn": ("_is_mkldnn_bf16_supported", "_linear_pointwise", "_reorder_linear_weight"),
    "torch.optim.lr_scheduler.LRScheduler": ("_last_lr", "_step_count"),
    # lightning
    "lightning.pytorch.Trainer": ("_logger_connector",),
    "lightning.pytorch.callbacks.ModelCheckpoint": (
        "_defer_save_until_validation",
        "_last_checkpoint_saved",
        "_last_global_step_saved",
    ),
    "lightning.pytorch.cli": ("_InstantiatorFn",),
    "lightning.pytorch.cli.LightningCLI": (
        "_add_instantiators",
        "_dump_config",
        "_get",
        "_parse_ckpt_path",
        "_prepare_subcommand_parser",
        "_run_subcommand",
    ),
    "lightning.pytorch.LightningModule": ("_on_before_batch_transfer",),
    "lightning.pytorch.loops": ("_FitLoop",),
    "lightning.pytorch.loops.evaluation_loop._EvaluationLoop": ("_restart_stage",),
    "lightning.pytorch.loops.fit_loop._FitLoop": ("_data_fetcher", "_restarting"),
    "lightning.pytorch.loops.optimization.automatic._AutomaticOptimization": ("_make_closure",),
    "lightning.pytorch.loops.training_epoch_loop._TrainingEpochLoop": (
        "_batches_that_stepped",
        "_build_kwargs",
        "_is_training_done",
        "_should_accumulate",
        "_should_check_val_fx",
    ),
    "lightning.pytorch.loops.utilities": ("_block_parallel_sync_behavior", "_is_max_limit_reached"),
    "lightning.pytorch.plugins.HalfPrecision": ("_desired_input_dtype",),
    "lightning.pytorch.profilers.Profiler": ("_prepare_filename", "_stage"),
    "lightning.pytorch.strategies.launchers": ("_SubprocessScriptLauncher",),
    "lightning.pytorch.trainer.call": ("_call_strategy_hook",),
    "lightning.pytorch.trainer.connectors.logger_connector.logger_connector._LoggerConnector": ("_callback_metrics",),
    # wandb
    "lightning.pytorch.loggers.WandbLogger": ("_wandb_init",),
    "wandb.sdk.wandb_setup._WandbSetup": ("_active_runs", "_connection"),
    "wandb.sdk.lib.service.service_connection.ServiceConnection": ("_proc",),
    # wandb-workspaces
    "wandb_workspaces.reports.v2.Report": ("_to_model",),
    "wandb_workspaces.workspaces.Workspace": ("_to_model",),
    # sacrebleu
    "sacrebleu.metrics.base.Metric": ("_aggregate_and_compute", "_extract_corpus_statistics"),
    # jsonargparse, and argparse below it
    "jsonargparse._typehints.ActionTypeHint": ("_enable_path", "_typehint"),
    "jsonargparse.ArgumentParser": ("_check_value_key", "_inner_parser"),
    "argparse.ArgumentParser": ("_actions", "_get_values"),
    # Python
    "atexit": ("_run_exitfuncs",),
    "typing.Protocol": ("_is_protocol",),
}
"""By the module or class that has them."""
