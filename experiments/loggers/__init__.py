"""Where a run's metrics, tables and pictures go."""

from experiments.loggers.metrics_csv import MetricsCSV
from experiments.loggers.run_wandb import RunWandbLogger

__all__ = ["MetricsCSV", "RunWandbLogger"]
