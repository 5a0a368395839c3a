"""The model that every experiment with ids on both sides is a configuration of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from datamodules.batch import UNK, Padded, SequenceBatch
from datamodules.errors import RunFailed, UserError
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.length_limits import LengthLimits
from lightning_modules.decoding.prefixes import Integers
from lightning_modules.decoding.search import Search
from lightning_modules.encoder_decoder import BridgeFactory, DecoderFactory, EncoderDecoder
from lightning_modules.forcing import Forced, Forcing
from lightning_modules.kernels.linear import Linear
from lightning_modules.layers.bridge import ProjectionBridge
from lightning_modules.layers.checks import check_shares, check_sizes
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.embedding import TokenEmbedding
from lightning_modules.layers.encoder import EncoderFactory, EncoderWithFeatures, RecurrentEncoder
from lightning_modules.layers.heads import Attended, PartialHead, VocabularyHead
from lightning_modules.layers.initialisation import initialise
from lightning_modules.layers.recurrent import State
from lightning_modules.layers.state import DecoderState, Memory, unique_rows
from lightning_modules.metrics import TokenScores
from lightning_modules.minimum_risk import CandidateBatch, MinimumRisk
from lightning_modules.training.module import LRSchedulerCallable, OptimizerCallable

HeadFactory = Callable[[int, int, float], VocabularyHead]
"""Makes a head of (input size, vocabulary size, label smoothing)."""

Tied = Literal["none", "target", "embeddings", "all"]
"""Which matrices of a model are one."""

SCORED_AT_ONCE = 512
"""Target positions of each sentence that are scored at once: far more than a sentence has, so that only what is no
sentence comes in pieces, and 64 of them with a state of 512 numbers take 64 MiB for each of a decoder's layers."""


class TokenEncoderDecoder(EncoderDecoder[SequenceBatch]):
    """An encoder, a bridge and a decoder over ids (Sutskever et al. 2014; Bahdanau et al. 2015; Vaswani et al. 2017).

    Every part is given by class and arguments; sizes that follow from other parts are passed on and written nowhere
    twice. Parameters begin from the global seed and their names alone.

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
        UserError: ``tied`` is 'all' or 'embeddings' and the vocabularies differ in size, or the target's is too small
            for a search; ``embedding_size`` is below 1, or a dropout or ``label_smoothing`` outside [0, 1).
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        encoder: EncoderFactory = RecurrentEncoder,
        decoder: DecoderFactory = LuongDecoder,
        bridge: BridgeFactory = ProjectionBridge,
        head: HeadFactory = VocabularyHead,
        embedding_size: int = 256,
        tied: Tied = "none",
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        val_search: Search = GreedySearch(),  # noqa: B008 - the default that --help shows; a search holds no state
        test_search: Search = BeamSearch(),  # noqa: B008 - likewise
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
        super().__init__(optimizer, scheduler, forcing)
        check_sizes(self, embedding_size=embedding_size)
        if risk is not None and forcing is not None:
            raise UserError("risk and forcing are two ways to train: leave one of them out")
        self.risk = risk
        check_shares(self, dropout=dropout, token_dropout=token_dropout, label_smoothing=label_smoothing)
        one_embedding, tied_output = tied in ("embeddings", "all"), tied in ("target", "all")
        if one_embedding and source_vocabulary_size != target_vocabulary_size:
            raise UserError(
                f"tied is '{tied}', but the source vocabulary has {source_vocabulary_size} ids and the target's "
                f"{target_vocabulary_size}: use a joint vocabulary (target_tokenizer: null, or "
                f"joint_vocabulary: true), or tied: "
                f"{'target' if tied_output else 'none'}"
            )
        for search in (val_search, test_search):
            search.check_vocabulary(target_vocabulary_size)
        self.save_hyperparameters()
        self.connect(encoder, decoder, bridge, embedding_size)
        self.feature_vocabulary_size = feature_vocabulary_size
        if isinstance(self.encoder, EncoderWithFeatures) and not feature_vocabulary_size:
            raise UserError(
                "EncoderWithFeatures reads features, and the data have none: name their column, as "
                "data.init_args.train.columns.features, or take its encoder alone"
            )
        width = embedding_size if tied_output else self.decoder.output_size
        output = head(width, target_vocabulary_size, label_smoothing)
        self.target_embedding: TokenEmbedding = TokenEmbedding(
            target_vocabulary_size, embedding_size, dropout, token_dropout, output.copies
        )
        self.source_embedding: TokenEmbedding = (
            self.target_embedding
            if one_embedding
            else TokenEmbedding(source_vocabulary_size, embedding_size, dropout, token_dropout, output.copies)
        )
        self.to_embedding = Linear(self.decoder.output_size, width, bias=False) if tied_output else nn.Identity()
        self.output: VocabularyHead = output
        same_size = source_vocabulary_size == target_vocabulary_size
        self.shared_vocabulary_size = (
            target_vocabulary_size * same_size if shared_vocabulary_size is None else shared_vocabulary_size
        )
        if self.output.copies:
            self._check_copying(source_vocabulary_size, target_vocabulary_size)
        if tied_output:
            self.output.weight = self.target_embedding.weight
        initialise(self, torch.initial_seed())
        self.val_search = val_search
        self.test_search = test_search
        self.val_scores, self.test_scores = TokenScores(), TokenScores()
        self.longest_source, self.longest_target, self.longest_ratio = longest_source, longest_target, longest_ratio

    def read(self, source: Padded) -> tuple[Tensor, State]:
        """What the encoder makes of a batch; one that reads features apart is told how many each source has."""
        if not isinstance(self.encoder, EncoderWithFeatures):
            return super().read(source)
        own = self.source_embedding.num_embeddings
        are_features = (source.values >= own - self.feature_vocabulary_size) & (source.values < own)
        counts = torch.arange(1, source.values.shape[1] + 1, device=source.values.device)
        # An unknown one is no feature by its id: all before the last are.
        features = (are_features * counts).amax(dim=1)
        memory, final = self.encoder(self.source_embedding(source.values), source.lengths, features)
        return memory, final

    def copied_ids(self, values: Tensor) -> Tensor:
        """Source ids as the head copies them: what the target does not have, as features, is unknown to it.

        Args:
            values: ``(batch, source_len)``.
        """
        own = self.source_embedding.num_embeddings  # above it are symbols that no vocabulary has, to be copied whole
        if self.shared_vocabulary_size == own:
            return values
        return values.masked_fill((values >= self.shared_vocabulary_size) & (values < own), UNK)

    def step(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """One step of the decoder, for a search.

        Args:
            tokens: ``(rows,)``, the last token of each prefix; each sentence of the memory has as many as the others,
                one after the other.
            memory: From :meth:`encode`.
            state: From :meth:`encode` or the last step.

        Returns:
            Log-probabilities ``(rows, target_vocabulary)``, wider where a source has ids above the vocabulary that can
            be copied; attention weights ``(rows, heads, source_len)``; and the next state.
        """
        output, weights, state = self._stepped(tokens, memory, state)
        attended = None if memory.source is None else Attended.of_rows(weights, memory.source, memory.greatest)
        return self.output.log_probabilities(output, attended), weights, state

    def partial_step(
        self, tokens: Tensor, memory: Memory, state: DecoderState, head: PartialHead
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """As :meth:`step`, with log-probabilities of some ids alone, ``(rows, ids)``.

        Args:
            tokens: ``(rows,)``, of all ids.
            memory: From :meth:`encode`.
            state: From :meth:`encode` or the last step.
            head: The model's own, over these ids.

        Raises:
            UserError: The model predicts by more than its head.
        """
        output, weights, state = self._stepped(tokens, memory, state)
        return head.log_probabilities(output), weights, state

    def _stepped(self, tokens: Tensor, memory: Memory, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        distinct, rows = unique_rows(tokens)
        output, weights, state = self.decoder.step(self.target_embedding(distinct), memory, state, rows)
        return self.to_embedding(output), weights, state

    def length_limits(self, source_lengths: Integers) -> Integers:
        """The most tokens of a hypothesis that the training pairs suggest; see :class:`LengthLimits`.

        Args:
            source_lengths: ``(batch,)``, EOS counted.
        """
        return LengthLimits(self.longest_target, self.longest_ratio).of(source_lengths)

    @torch.no_grad()
    def translate(
        self, source: Padded, search: Search, with_attention: bool = False, prefixes: Padded | None = None
    ) -> list[list[Hypothesis]]:
        """Searches for the best hypotheses, in evaluation mode.

        Args:
            source: ``(batch, source_len)``, each sequence closed by EOS.
            search: How.
            with_attention: Also return what each hypothesis attended to.
            prefixes: ``(batch, prefix_len)``, what the hypotheses of each source begin with; None for nothing.

        Returns:
            For each source its hypotheses, best first.
        """
        with self._evaluating():
            return search(self, source, with_attention, prefixes)

    @torch.no_grad()
    def score(self, batch: SequenceBatch) -> Tensor:
        """Scores given targets under teacher forcing, in evaluation mode: the log-probabilities of a search.

        A target may be of any length: :data:`SCORED_AT_ONCE` positions are in memory at a time, of those sentences that
        have so many.

        Args:
            batch: Source and target.

        Returns:
            ``(batch, target_len)``, the log-probability of each target token and EOS; 0 on padding.
        """
        inputs, gold = batch.target_input.values, batch.target_output.values
        mask, weight = batch.target_output.mask, self.output.weight
        scores = torch.zeros(mask.shape, dtype=torch.promote_types(weight.dtype, torch.float32), device=weight.device)
        with self._evaluating():
            memory, state = self.encode(batch.source)
            rows = torch.arange(len(batch), device=mask.device)
            for start in range(0, mask.shape[1], SCORED_AT_ONCE):
                active = mask[rows, start].nonzero().squeeze(1)
                if len(active) < len(rows):
                    rows, memory, state = rows[active], memory.select(active), state.select(active)
                piece = slice(start, start + SCORED_AT_ONCE)
                real = mask[rows, piece]
                targets = Padded(gold[rows, piece], real.sum(dim=1))
                found, state = self._score_piece(inputs[rows, piece], targets, memory, state)
                scores[rows, piece] = scores[rows, piece].masked_scatter(real, found)
        return scores

    def _score_piece(
        self, inputs: Tensor, gold: Padded, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, DecoderState]:
        """Scores a piece of the targets.

        Args:
            inputs: ``(batch, t)``, what the decoder is fed.
            gold: ``(batch, t)``, the tokens that follow; at least one of each target.
            memory: From :meth:`encode`.
            state: Before the piece.

        Returns:
            ``(positions,)``, the log-probabilities of the tokens, row by row; and the state after the piece.
        """
        outputs, weights, state = self.decoder(self.target_embedding(inputs), memory, state)
        real = gold.mask
        attended = None if memory.source is None else Attended.at(weights, memory.source, real)
        found, _ = self.output.outcomes(self.to_embedding(outputs[real]), gold.values[real], attended)
        return found, state

    def trained_on(self, batch: SequenceBatch) -> SequenceBatch:
        """A batch as it is; where a risk is minimised, candidates for its sources."""
        return batch if self.risk is None else self.risk.candidates(self, batch)

    def loss_of(self, batch: SequenceBatch, ran: Forced) -> tuple[Tensor, Tensor, int]:
        """The loss of a run; of candidates the expected cost, summed over their sources. See :meth:`loss`."""
        if self.risk is None or not isinstance(batch, CandidateBatch):
            return super().loss_of(batch, ran)
        gold = batch.target_output
        attended = self.attended(batch, ran.weights)
        scores = self.output.gold_log_probabilities(ran.outputs, gold.real(gold.values), attended)
        rows = torch.arange(len(batch), device=scores.device).repeat_interleave(gold.lengths)
        whole = torch.zeros(len(batch), dtype=scores.dtype, device=scores.device).index_add(0, rows, scores)
        costs = self.risk.expected_costs(whole, batch)
        return costs.sum(), costs.sum().detach(), len(costs)

    def judge(
        self, outputs: Tensor, weights: Tensor, memory: Memory, where: Tensor, gold: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How probable gold tokens are, and the most probable ones in their place, without gradients.

        Args:
            outputs: Of the decoder, ``(batch, t, output_size)``.
            weights: ``(batch, heads, t, source_len)``.
            memory: From :meth:`encode`.
            where: ``(batch, t)``, True at the positions that are asked for.
            gold: ``(positions,)``, row by row.

        Returns:
            Two tensors of ``(positions,)``: log-probabilities, and tokens.
        """
        attended = None if memory.source is None else Attended.at(weights, memory.source, where)
        return self.output.outcomes(self.to_embedding(outputs[where]), gold, attended)

    def outcomes(self, batch: SequenceBatch, hidden: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What becomes of each gold token, without gradients.

        Args:
            batch: Source and target.
            hidden: From :meth:`forward` or :meth:`forced`.
            weights: From the same.

        Returns:
            Two tensors of ``(target_tokens,)``, row by row: the log-probability of the gold token, and the most
            probable token in its place.
        """
        target = batch.target_output
        return self.output.outcomes(hidden, target.real(target.values), self.attended(batch, weights))

    def logged_metrics(self) -> set[str]:
        """The metrics that a training logs here."""
        return super().logged_metrics() | {"val/loss", "val/perplexity", "val/accuracy", "val/truncated"}

    def chance_loss(self, batch: SequenceBatch) -> float:  # type: ignore[override]  # its batches alone
        """That of a uniform guess among all target tokens, in nats."""
        return math.log(self.output.out_features)

    def validation_step(  # type: ignore[override]  # Lightning's takes anything
        self,
        batch: SequenceBatch,
        batch_idx: int,
    ) -> list[Hypothesis]:
        """Loss and accuracy under teacher forcing, and the best hypothesis of each sentence, decoded freely."""
        return self._evaluate(batch, self.val_scores, self.val_search)

    def test_step(  # type: ignore[override]  # Lightning's takes anything
        self,
        batch: SequenceBatch,
        batch_idx: int,
    ) -> list[Hypothesis]:
        """Loss and accuracy under teacher forcing, and the best hypothesis of each sentence, decoded freely."""
        return self._evaluate(batch, self.test_scores, self.test_search)

    def predict_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        """The best hypothesis of each sentence, in the batch's order."""
        if not len(batch):
            return []
        return self._best(batch.source, self.test_search, self.test_scores)

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/loss``, ``val/perplexity``, ``val/accuracy`` and ``val/truncated``, a share."""
        self._log_evaluation("val", self.val_scores)

    def on_test_epoch_end(self) -> None:
        """Logs ``test/loss``, ``test/perplexity``, ``test/accuracy`` and ``test/truncated``, a share."""
        self._tell_truncated()
        self._log_evaluation("test", self.test_scores)

    def on_predict_epoch_end(self) -> None:
        """Tells of hypotheses that were cut."""
        self._tell_truncated()
        self.test_scores.reset()

    def _check_copying(self, source_vocabulary_size: int, target_vocabulary_size: int) -> None:
        head = type(self.output).__name__
        if not self.shared_vocabulary_size:
            raise UserError(
                f"{head} copies ids of the source, but it has a vocabulary of its own, of {source_vocabulary_size} "
                f"ids, and the target one of {target_vocabulary_size}: use a joint vocabulary (target_tokenizer: "
                "null, or joint_vocabulary: true)"
            )
        if not self.decoder.heads:
            raise UserError(
                f"{head} copies what is attended to, but {type(self.decoder).__name__} attends to nothing: take "
                "LuongDecoder, or another attention than NoAttention"
            )

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    def _evaluate(self, batch: SequenceBatch, counted: TokenScores, search: Search) -> list[Hypothesis]:
        if not len(batch):
            return []
        scores, predicted = self.outcomes(batch, *self(batch))
        right = predicted == batch.target_output.real(batch.target_output.values)
        nll = -scores.sum()
        self.check_evaluation(nll, batch.index)
        counted.loss.update(nll, len(scores))
        counted.accuracy.update(right.sum(), len(scores))
        try:
            return self._best(batch.source, search, counted)
        except RunFailed as failed:
            raise RunFailed(f"at step {self.trainer.global_step} {failed}") from failed

    def _best(self, source: Padded, search: Search, counted: TokenScores) -> list[Hypothesis]:
        """The best hypothesis of each source; how many of them were cut is counted."""
        best = [found[0] for found in self.translate(source, search)]
        counted.truncated.update(sum(each.truncated for each in best), len(best))
        return best

    def _log_evaluation(self, stage: Literal["val", "test"], counted: TokenScores) -> None:
        for name, score in counted.compute().items():
            # Every rank has the same mean: its maximum over the ranks is that mean to the last bit.
            self.log(f"{stage}/{name}", score, prog_bar=name == "loss", sync_dist=True, reduce_fx="max")
        counted.reset()

    def _tell_truncated(self) -> None:
        """One line where hypotheses of the test were cut: their scores are of what is left of them."""
        from lightning.pytorch.utilities import rank_zero_info  # which translating alone goes without

        share = self.test_scores.truncated.compute().item()
        if share > 0:
            rank_zero_info(
                f"{share:.2%} of the hypotheses end at the search's limit of length, where the model would have gone "
                "on: raise model.init_args.test_search.init_args.max_length"
            )
