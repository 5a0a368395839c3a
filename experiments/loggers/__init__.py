"""Where a run's metrics, tables and pictures go."""

from experiments.loggers.metrics_csv import MetricsCSV
from experiments.loggers.run_mlflow import RunMLFlowLogger
from experiments.loggers.run_tensorboard import RunTensorBoardLogger
from experiments.loggers.run_wandb import RunWandbLogger

__all__ = ["MetricsCSV", "RunMLFlowLogger", "RunTensorBoardLogger", "RunWandbLogger"]
