"""Encoders: embedded source tokens, or vectors of features, to a memory and a final state."""

from lightning_modules.layers.encoder.bag_of_words import BagOfWordsEncoder
from lightning_modules.layers.encoder.encoder import Encoder, EncoderFactory
from lightning_modules.layers.encoder.recurrent import RecurrentEncoder, StepwiseEncoder
from lightning_modules.layers.encoder.with_embeddings import EncoderWithEmbeddings
from lightning_modules.layers.encoder.with_features import EncoderWithFeatures

__all__ = [
    "BagOfWordsEncoder",
    "Encoder",
    "EncoderFactory",
    "EncoderWithEmbeddings",
    "EncoderWithFeatures",
    "RecurrentEncoder",
    "StepwiseEncoder",
]
