"""The classifiers with a bidirectional RNN: of sequences of vectors, and of texts."""

from __future__ import annotations

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn

from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.embedding import TokenEmbedding
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.pooling import FinalStatePooling, PoolingFactory
from lightning_modules.sequence_classifier import SequenceClassifier


class BiRNNClassifier(SequenceClassifier):
    """A bidirectional RNN that gives a sequence of vectors one of several classes (Schuster and Paliwal 1997).

    The encoder reads the vectors, the pooling makes one vector of what it says, and a linear layer a score for each
    class. The loss is cross-entropy, which for two classes is the binary one of the difference of their scores: one
    head for any number of classes. Parameters begin from the global seed and their names alone.

    Args:
        source_feature_size: Width of the vectors; linked from the data.
        class_count: Number of classes; linked from the data.
        encoder: Made of (source feature size).
        pooling: Made of (memory size, state size).
        dropout: Dropout on the pooled vector.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.

    Raises:
        UserError: The dropout is outside [0, 1).
    """

    def __init__(
        self,
        source_feature_size: int,
        class_count: int,
        encoder: EncoderFactory = RecurrentEncoder,
        pooling: PoolingFactory = FinalStatePooling,
        dropout: float = 0.0,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, class_count, dropout)
        self.save_hyperparameters()
        self.source_embedding = nn.Identity()
        self.connect(encoder, pooling, source_feature_size, class_count)
        initialise(self, torch.initial_seed())


class BiRNNTextClassifier(SequenceClassifier):
    """The same over the tokens of a text, embedded: which of several labels it has.

    With :class:`AttentionPooling` the words that count most can be seen (Yang et al. 2016, section 2.2, of one
    sentence); with a ``BagOfWordsEncoder`` and :class:`FinalStatePooling` it is a linear model of the words, whatever
    their order (Joulin et al. 2017). Parameters begin from the global seed and their names alone.

    Args:
        source_vocabulary_size: Number of ids; linked from the data.
        class_count: Number of labels; linked from the data.
        encoder: Made of (embedding size).
        pooling: Made of (memory size, state size).
        embedding_size: Width of the embeddings.
        dropout: Dropout on embeddings and on the pooled vector.
        token_dropout: Probability that a whole token is embedded as zeros in training.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.

    Raises:
        UserError: ``embedding_size`` is below 1, or a dropout outside [0, 1).
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        class_count: int,
        encoder: EncoderFactory = RecurrentEncoder,
        pooling: PoolingFactory = FinalStatePooling,
        embedding_size: int = 128,
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, class_count, dropout)
        check_sizes(self, embedding_size=embedding_size)
        check_shares(self, token_dropout=token_dropout)
        self.save_hyperparameters()
        self.source_embedding = TokenEmbedding(source_vocabulary_size, embedding_size, dropout, token_dropout)
        self.connect(encoder, pooling, embedding_size, class_count)
        initialise(self, torch.initial_seed())
