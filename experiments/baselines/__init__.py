"""What texts reach without a network: the beginning of the source, a neighbour, templates, a linear classifier."""

from experiments.baselines.baseline import Baseline
from experiments.baselines.lead import FirstSentence
from experiments.baselines.nearest import MostFrequent, NearestNeighbour
from experiments.baselines.templates import Templates
from experiments.baselines.tf_idf_regression import TfIdfRegression

__all__ = ["Baseline", "FirstSentence", "MostFrequent", "NearestNeighbour", "Templates", "TfIdfRegression"]
