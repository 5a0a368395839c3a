"""Sequence to sequence over a fixed context."""

from __future__ import annotations

import torch

from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.search import Search
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory
from lightning_modules.forcing import Forcing
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.heads import VocabularyHead
from lightning_modules.minimum_risk import MinimumRisk
from lightning_modules.token_encoder_decoder import HeadFactory, Tied, TokenEncoderDecoder
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable


class Seq2Seq(TokenEncoderDecoder):
    """An encoder and a decoder with nothing between them but the encoder's final state (Sutskever et al. 2014).

    However long the source is, its whole content has to fit into that state. ``LuongDecoder`` with an attention, and
    without input feeding, takes this bottleneck away and leaves all else as it is.

    Args:
        source_vocabulary_size: Number of source ids; linked from the data.
        target_vocabulary_size: Number of target ids; linked from the data.
        encoder: Made of (embedding size).
        decoder: Made of (embedding size, memory size).
        bridge: Made of (encoder state shape, decoder state shape).
        head: Made of (width of the outputs, target vocabulary size, label smoothing).
        embedding_size: Width of source and target embeddings.
        tied: Which matrices are one: 'none'; 'target', target embedding and output projection; 'embeddings', those of
            source and target, which needs a joint vocabulary; or 'all', all three.
        dropout: Dropout on embeddings.
        token_dropout: Probability that a whole token is embedded as zeros in training.
        label_smoothing: Share of the target distribution spread evenly over the vocabulary.
        val_search: Search in validation, without gold history.
        test_search: Search in test and predict.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        forcing: What the decoder is fed in training; gold tokens alone (teacher forcing) if not given.
        risk: What is minimised in place of the loss of gold tokens, from a model that is trained already.
        longest_source: Tokens of the longest source in training; linked from the data.
        longest_target: Tokens of the longest target in training; linked from the data. A search that has no limit of
            its own stops hypotheses by it.
        longest_ratio: The most target tokens for each source token in training; linked from the data, likewise.
        shared_vocabulary_size: Number of target ids that mean the same in the source; linked from the data. If not
            given, all do where the vocabularies are of one size.
        feature_vocabulary_size: Number of source ids that are features, the last ones; linked from the data.

    Raises:
        UserError: ``tied`` is 'all' or 'embeddings' and the vocabularies differ in size.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        encoder: EncoderFactory = RecurrentEncoder,
        decoder: DecoderFactory = FixedContextDecoder,
        bridge: BridgeFactory = ProjectionBridge,
        head: HeadFactory = VocabularyHead,
        embedding_size: int = 256,
        tied: Tied = "none",
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        val_search: Search = GreedySearch(),  # noqa: B008 - the default that --help shows; a search holds no state
        test_search: Search = GreedySearch(),  # noqa: B008 - likewise
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        forcing: Forcing | None = None,
        risk: MinimumRisk | None = None,
        longest_source: int | None = None,
        longest_target: int | None = None,
        longest_ratio: float | None = None,
        shared_vocabulary_size: int | None = None,
        feature_vocabulary_size: int = 0,
    ) -> None:
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            encoder,
            decoder,
            bridge,
            head,
            embedding_size,
            tied,
            dropout,
            token_dropout,
            label_smoothing,
            val_search,
            test_search,
            optimizer,
            scheduler,
            forcing,
            risk,
            longest_source,
            longest_target,
            longest_ratio,
            shared_vocabulary_size,
            feature_vocabulary_size,
        )
