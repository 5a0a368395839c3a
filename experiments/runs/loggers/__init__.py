"""Where a run's metrics, tables and pictures go."""

from experiments.runs.loggers.metrics_csv import MetricsCSV
from experiments.runs.loggers.run_wandb import RunWandbLogger

__all__ = ["MetricsCSV", "RunWandbLogger"]
