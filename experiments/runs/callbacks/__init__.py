"""What happens around training: scores of texts, tables, figures, speed."""

from experiments.resume.truncate_metrics import TruncateMetrics
from experiments.runs.callbacks.alignment_figures import AlignmentFigures
from experiments.runs.callbacks.attention_statistics import AttentionStatistics
from experiments.runs.callbacks.average_at_end import AverageAtEnd
from experiments.runs.callbacks.best_checkpoint import BestCheckpoint
from experiments.runs.callbacks.curve_figures import CurveFigures
from experiments.runs.callbacks.exponential_moving_average import ExponentialMovingAverage
from experiments.runs.callbacks.exposure_bias import ExposureBias
from experiments.runs.callbacks.label_writer import LabelWriter
from experiments.runs.callbacks.last_checkpoints import LastCheckpoints
from experiments.runs.callbacks.length_scores import LengthScores
from experiments.runs.callbacks.prediction_writer import PredictionWriter
from experiments.runs.callbacks.pretrained_embeddings import PretrainedEmbeddings
from experiments.runs.callbacks.text_metrics import TextMetrics
from experiments.runs.callbacks.throughput import Throughput
from experiments.runs.callbacks.translation_table import TranslationTable
from experiments.runs.callbacks.vector_writer import VectorWriter

__all__ = [
    "AlignmentFigures",
    "AttentionStatistics",
    "AverageAtEnd",
    "BestCheckpoint",
    "CurveFigures",
    "ExponentialMovingAverage",
    "ExposureBias",
    "LabelWriter",
    "LastCheckpoints",
    "LengthScores",
    "PredictionWriter",
    "PretrainedEmbeddings",
    "TextMetrics",
    "Throughput",
    "TranslationTable",
    "TruncateMetrics",
    "VectorWriter",
]
