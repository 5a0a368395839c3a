"""What happens around training: scores of texts, tables, figures, speed."""

from experiments.callbacks.attention_faithfulness import AttentionFaithfulness
from experiments.callbacks.attention_statistics import AttentionStatistics
from experiments.callbacks.bfloat16_products import Bfloat16Products
from experiments.callbacks.checkpoints import AverageAtEnd, BestCheckpoint, LastCheckpoints
from experiments.callbacks.classification import ClassScores, WordAttention, WorstErrors
from experiments.callbacks.curve_figures import CurveFigures
from experiments.callbacks.exponential_moving_average import ExponentialMovingAverage
from experiments.callbacks.exposure_bias import ExposureBias
from experiments.callbacks.feature_scores import FeatureScores
from experiments.callbacks.forecasts import ForecastFigures, ForecastWriter
from experiments.callbacks.length_scores import LengthScores
from experiments.callbacks.prediction_writers import LabelWriter, PredictionWriter, VectorWriter
from experiments.callbacks.pretrained_embeddings import PretrainedEmbeddings
from experiments.callbacks.sentence_importance import SentenceImportance
from experiments.callbacks.symbols.phrase_returns import PhraseReturns
from experiments.callbacks.symbols.symbol_scores import SymbolScores
from experiments.callbacks.text_metrics import TextMetrics
from experiments.callbacks.throughput import Throughput
from experiments.callbacks.watched_sentences import AlignmentFigures, TranslationTable
from experiments.resume.truncate_metrics import TruncateMetrics

__all__ = [
    "AlignmentFigures",
    "AttentionFaithfulness",
    "AttentionStatistics",
    "AverageAtEnd",
    "BestCheckpoint",
    "Bfloat16Products",
    "ClassScores",
    "CurveFigures",
    "ExponentialMovingAverage",
    "ExposureBias",
    "FeatureScores",
    "ForecastFigures",
    "ForecastWriter",
    "LabelWriter",
    "LastCheckpoints",
    "LengthScores",
    "PhraseReturns",
    "PredictionWriter",
    "PretrainedEmbeddings",
    "SentenceImportance",
    "SymbolScores",
    "TextMetrics",
    "Throughput",
    "TranslationTable",
    "TruncateMetrics",
    "VectorWriter",
    "WordAttention",
    "WorstErrors",
]
