"""What texts reach without learning: the beginning of the source, the nearest neighbour, templates."""

from experiments.baselines.baseline import Baseline
from experiments.baselines.lead import FirstSentence
from experiments.baselines.nearest import MostFrequent, NearestNeighbour
from experiments.baselines.templates import Templates

__all__ = ["Baseline", "FirstSentence", "MostFrequent", "NearestNeighbour", "Templates"]
