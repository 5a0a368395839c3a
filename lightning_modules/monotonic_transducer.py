"""Transduction by hard attention, whose alignment is summed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.batch import Padded, SequenceBatch
from datamodules.errors import UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.search import Search
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory
from lightning_modules.forcing import Forced, Forcing
from lightning_modules.kernels.argmax import most_probable
from lightning_modules.kernels.graph_form import GraphForm
from lightning_modules.kernels.projected_loss import CHUNK_ROWS, projected_log_probabilities
from lightning_modules.layers.attention import AttentionFactory, GeneralAttention
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.decoder import FixedContextDecoder
from lightning_modules.layers.encoder import EncoderFactory, RecurrentEncoder
from lightning_modules.layers.hard_alignment import AlignedState, HardAlignment, Order, posterior_of
from lightning_modules.layers.heads import PartialHead
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.state import DecoderState, Memory, unique_rows
from lightning_modules.token_encoder_decoder import Tied, TokenEncoderDecoder
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable


@dataclass(frozen=True)
class Aligned:
    """A target, summed over its alignments.

    Attributes:
        hidden: ``(positions, source_len, width)``, from which the vocabulary is predicted at each source position.
        log_priors: ``(batch, target_len, source_len)``, of the alignments given the tokens before.
        log_probabilities: ``(batch, target_len)``, of the tokens given those before; on padding anything.
        state: After the last step.
    """

    hidden: Tensor
    log_priors: Tensor
    log_probabilities: Tensor
    state: AlignedState


class MonotonicTransducer(TokenEncoderDecoder):
    """Exact hard attention, monotone or not (Wu and Cotterell 2019; without monotonicity Wu, Shapiro, Cotterell 2018).

    Each target token comes of one source position, and the loss is the exact likelihood, the sum over all alignments;
    see :class:`HardAlignment`. ``p(y_t | a_t = i) = softmax(V tanh(W [h_t; memory_i]))``, and the decoder, whose
    outputs are h, sees the tokens alone: it attends to nothing. Each step predicts the vocabulary at all source
    positions, which small vocabularies and short sources are for: spelling to pronunciation, inflection,
    transliteration. It is trained on gold tokens, and without label smoothing. The attention weights that come out are
    the filtered alignment p(a_t | y_<t, x): where the model looks before it knows the token.

    Args:
        source_vocabulary_size: Number of source ids; linked from the data.
        target_vocabulary_size: Number of target ids; linked from the data.
        encoder: Made of (embedding size).
        decoder: Made of (embedding size, memory size); one that attends to nothing.
        bridge: Made of (encoder state shape, decoder state shape).
        attention: What scores alignments, made of (query size, memory size).
        order: 0: the alignment of a step is independent of the others. 1: it does not go back behind that of the step
            before, and what is left is renormalised.
        embedding_size: Width of source and target embeddings.
        tied: Which matrices are one: 'none'; 'target', target embedding and output projection; 'embeddings', those of
            source and target, which needs a joint vocabulary; or 'all', all three.
        dropout: Dropout on embeddings.
        token_dropout: Probability that a whole token is embedded as zeros in training.
        val_search: Search in validation, without gold history.
        test_search: Search in test and predict.
        optimizer: Made of (parameters).
        scheduler: Learning-rate schedule made of (optimizer), stepped per update, or as a ``TimedSchedule`` says; none
            for a constant rate.
        longest_source: Tokens of the longest source in training; linked from the data.
        longest_target: Tokens of the longest target in training; linked from the data. A search that has no limit of
            its own stops hypotheses by it.
        longest_ratio: The most target tokens for each source token in training; linked from the data, likewise.
        feature_vocabulary_size: Number of source ids that are features, the last ones; linked from the data.

    Raises:
        UserError: The decoder attends, or the attention is more than a score; and what
            :class:`TokenEncoderDecoder` refuses.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        encoder: EncoderFactory = RecurrentEncoder,
        decoder: DecoderFactory = FixedContextDecoder,
        bridge: BridgeFactory = ProjectionBridge,
        attention: AttentionFactory = GeneralAttention,
        order: Order = 1,
        embedding_size: int = 256,
        tied: Tied = "none",
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        val_search: Search = GreedySearch(),  # noqa: B008 - the default that --help shows; a search holds no state
        test_search: Search = BeamSearch(),  # noqa: B008 - likewise
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        longest_source: int | None = None,
        longest_target: int | None = None,
        longest_ratio: float | None = None,
        feature_vocabulary_size: int = 0,
    ) -> None:
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            encoder,
            decoder,
            bridge,
            embedding_size=embedding_size,
            tied=tied,
            dropout=dropout,
            token_dropout=token_dropout,
            val_search=val_search,
            test_search=test_search,
            optimizer=optimizer,
            scheduler=scheduler,
            longest_source=longest_source,
            longest_target=longest_target,
            longest_ratio=longest_ratio,
            feature_vocabulary_size=feature_vocabulary_size,
        )
        if self.decoder.heads:
            raise UserError(
                f"{type(self.decoder).__name__} attends to the source, which MonotonicTransducer does itself: give "
                "FixedContextDecoder as model.init_args.decoder"
            )
        self.alignment = HardAlignment(self.decoder.output_size, self.encoder.memory_size, attention, order)
        initialise(self, torch.initial_seed())  # the new ones; the others begin as they did

    def encode(self, source: Padded) -> tuple[Memory, DecoderState]:
        """Encodes a batch; see :meth:`EncoderDecoder.encode`."""
        memory, recurrent = super().encode(source)
        memory = self.alignment.prepare(memory)
        return memory, self.alignment.initial(recurrent, memory)

    def forward(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Runs under teacher forcing.

        Args:
            batch: Source and target.

        Returns:
            What the vocabulary is predicted from at the real target positions and each source position,
            ``(positions, source_len, width)``; and the filtered alignments ``(batch, 1, target_len, source_len)``.
        """
        found = self._aligned(batch)
        return found.hidden, found.log_priors.exp()[:, None]

    def forced(self, batch: SequenceBatch, forcing: Forcing, ratio: float) -> Forced:
        """Refuses: what is summed over is the alignment of gold tokens.

        Raises:
            UserError: Always.
        """
        raise UserError("MonotonicTransducer runs on gold history alone: leave out what measures another, ExposureBias")

    def run(self, batch: SequenceBatch, ratio: float) -> Forced:
        """Sums over all alignments of the gold targets, whose log-probabilities are the outputs."""
        found = self._aligned(batch)
        return Forced(found.log_probabilities, found.log_priors, batch.target_input.values)

    def loss_of(self, batch: SequenceBatch, ran: Forced) -> tuple[Tensor, Tensor, int]:
        """The negative logarithm of the exact likelihood, in nats; see :meth:`EncoderDecoder.loss`."""
        scores = batch.target_output.real(ran.outputs)
        nll = -scores.sum()
        return nll, nll.detach(), len(scores)

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """One step for a search; see :meth:`TokenEncoderDecoder.step`. The weights are the filtered alignment."""
        assert isinstance(state, AlignedState)
        distinct, rows = unique_rows(tokens)
        output, _, recurrent = self.decoder.step(self.target_embedding(distinct), memory, state.recurrent, rows)
        scores = self.alignment.scores(output[:, None], memory).squeeze(1)
        log_prior = self.alignment.prior(scores, self._posterior(tokens, memory, state))
        parts = self._mixtures(self._hidden(output, memory), log_prior)
        found, normalisers = (torch.cat(each) for each in zip(*parts, strict=True))
        return found, log_prior.exp()[:, None], AlignedState(recurrent, log_prior - normalisers, output)

    def partial_step(
        self, tokens: Tensor, memory: Memory, state: DecoderState, head: PartialHead
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """There is none: each token comes of a sum over the source.

        Raises:
            UserError: Always.
        """
        raise UserError("a shortlist is for models that predict by their head alone, but this is a MonotonicTransducer")

    @torch.no_grad()
    def outcomes(self, batch: SequenceBatch, hidden: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What becomes of each gold token; see :meth:`TokenEncoderDecoder.outcomes`."""
        target = batch.target_output
        log_priors = target.real(weights.squeeze(1)).log()
        scores, predicted = [], []
        golds = target.real(target.values).split(_rows_at_once(hidden))
        for gold, (found, _) in zip(golds, self._mixtures(hidden, log_priors), strict=True):
            scores.append(found.gather(1, gold[:, None]).squeeze(1))
            predicted.append(most_probable(found))
        return torch.cat(scores), torch.cat(predicted)

    def _aligned(self, batch: SequenceBatch) -> Aligned:
        memory, state = self.encode(batch.source)
        return self._align(batch.target_input.values, batch.target_output, memory, state)

    def _align(self, inputs: Tensor, gold: Padded, memory: Memory, state: DecoderState) -> Aligned:
        """Sums over the alignments of a target, or of a piece of it.

        Args:
            inputs: ``(batch, target_len)``, the tokens that the steps are fed.
            gold: ``(batch, target_len)``, the tokens that follow.
            memory: From :meth:`encode`.
            state: Before the first step.
        """
        assert isinstance(state, AlignedState)
        outputs, _, recurrent = self.decoder(self.target_embedding(inputs), memory, state.recurrent)
        hidden = self.to_embedding(gold.real(self.alignment.joint(outputs, memory)))
        emission = self._emission(hidden, gold, memory.mask)
        before = self._posterior(inputs[:, 0], memory, state)
        log_priors = self.alignment.priors(self.alignment.scores(outputs, memory), emission, before)
        log_probabilities = (log_priors + emission).logsumexp(dim=-1)
        after = AlignedState(recurrent, posterior_of(log_priors[:, -1], emission[:, -1]))
        return Aligned(hidden, log_priors, log_probabilities, after)

    def _emission(self, hidden: Tensor, gold: Padded, source_mask: Tensor) -> Tensor:
        """Log-probabilities of the gold tokens at each source position, 0 on padding; no tensor of logits is made.

        Args:
            hidden: ``(positions, source_len, width)``, at the real target positions.
            gold: ``(batch, target_len)``.
            source_mask: ``(batch, source_len)``.

        Returns:
            ``(batch, target_len, source_len)``.
        """
        real = gold.mask[:, :, None] & source_mask[:, None]
        of_positions = real[gold.mask]
        which = of_positions.flatten().nonzero().squeeze(1)
        tokens = gold.values[gold.mask][:, None].expand_as(of_positions)[of_positions]
        rows = hidden.flatten(0, 1).index_select(0, which)
        found, _ = projected_log_probabilities(rows, self.output.weight, self.output.bias, tokens)
        found = found.to(torch.promote_types(found.dtype, torch.float32))
        return found.new_zeros(real.shape).masked_scatter(real, found)

    def _posterior(self, tokens: Tensor, memory: Memory, state: AlignedState) -> Tensor:
        """The last alignment given the last tokens as well, ``(rows, source_len)``, log-probabilities."""
        if state.output is None or self.alignment.order == 0:
            return state.weights
        hidden = self._hidden(state.output, memory)
        logits = torch.einsum("rsw,rw->rs", hidden, self.output.weight[tokens]) + self.output.bias[tokens][:, None]
        return posterior_of(state.weights, logits)

    def _hidden(self, output: Tensor, memory: Memory) -> Tensor:
        """What one step predicts the vocabulary from, ``(rows, source_len, width)``; the output is ``(rows, o)``."""
        hidden: Tensor = self.to_embedding(self.alignment.joint(output[:, None], memory).squeeze(1))
        return hidden

    def _mixtures(self, hidden: Tensor, log_prior: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Log-probabilities of the whole vocabulary, in pieces, so that those of each source position never all exist.

        Args:
            hidden: ``(n, source_len, width)``.
            log_prior: ``(n, source_len)``, of the alignments.

        Yields:
            For each piece the log-probabilities ``(rows, vocabulary)``, and the logarithms of what the softmax of each
            source position divides by, ``(rows, source_len)``.
        """
        parts = [(hidden, log_prior)]
        if GraphForm.current() is None:
            size = _rows_at_once(hidden)
            parts = list(zip(hidden.split(size), log_prior.split(size), strict=True))
        for part, prior in parts:
            logits = self.output(part).to(prior.dtype)
            normalisers = logits.logsumexp(dim=-1)
            yield (logits + (prior - normalisers)[..., None]).logsumexp(dim=1), normalisers

    def _score_piece(
        self, inputs: Tensor, gold: Padded, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState]:
        """Summed over alignments; see :meth:`TokenEncoderDecoder._score_piece`."""
        found = self._align(inputs, gold, memory, state)
        return gold.real(found.log_probabilities), found.state


def _rows_at_once(hidden: Tensor) -> int:
    """How many steps are projected at once, each at all source positions; hidden is ``(n, source_len, width)``."""
    return max(1, CHUNK_ROWS // hidden.shape[1])
