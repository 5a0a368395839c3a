"""Embeddings that begin as vectors of a file."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_info

from datamodules.batch import SPECIAL_PIECES
from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.word_vectors import WordVectors
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer
from lightning_modules.layers.embedding import TokenEmbedding
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from lightning_modules.training.trainer_parts import callbacks_of


class PretrainedEmbeddings(L.Callback):
    """Gives embeddings the vectors that files have of their symbols, when a training begins.

    What a file lacks, and the reserved symbols (``</s>``, ``<unk>``), keep their first values, and all are trained. A
    symbol is what the tokenizer makes: a word of a ``WhitespaceTokenizer``; of SentencePiece a piece, with its sign for
    a space, as BPEmb's files have them. The rows are divided by the embedding's scale, the square root of the width, so
    that a symbol is embedded as its vector; where the output is tied to the embedding, its rows are these. A training
    that resumes, or begins from another by ``--init_from``, reads nothing.

    Args:
        source: File of the source symbols: a symbol and its numbers in each line, as of word2vec, GloVe or fastText
            (``.vec``); gzip if its name ends in ``.gz``.
        target: That of the target symbols. Where both embeddings are one matrix, one file is enough.

    Raises:
        UserError: Neither is given.
    """

    def __init__(self, source: str | None = None, target: str | None = None) -> None:
        if source is None and target is None:
            raise UserError("PretrainedEmbeddings has no file: give source, target or both")
        self.source = source
        self.target = target

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Copies the vectors.

        Raises:
            UserError: Model or data have no symbols; one matrix has two files; a file is missing, broken or of another
                width than the embeddings.
        """
        if trainer.ckpt_path is not None:
            return
        data = getattr(trainer, "datamodule", None)
        if not isinstance(pl_module, TokenEncoderDecoder) or not isinstance(data, ParallelDataModule):
            raise UserError(
                f"PretrainedEmbeddings is for models and data with tokens on both sides, not for "
                f"{type(pl_module).__name__} on {type(data).__name__}: leave it out of trainer.callbacks"
            )
        if pl_module.source_embedding is pl_module.target_embedding:
            _copy(WordVectors(self._only_file()), pl_module.target_embedding, data.target_tokenizer, "joint")
            return
        if self.source is not None:
            _copy(WordVectors(self.source), pl_module.source_embedding, data.source_tokenizer, "source")
        if self.target is not None:
            _copy(WordVectors(self.target), pl_module.target_embedding, data.target_tokenizer, "target")

    def _only_file(self) -> str:
        first, *others = {path for path in (self.source, self.target) if path is not None}
        if others:
            raise UserError(
                "PretrainedEmbeddings has two files, but the embeddings of source and target are one matrix "
                "(model.init_args.tied): give one"
            )
        return first


def leave_out_pretrained(trainer: L.Trainer) -> None:
    """Lets a training that begins with the weights of a checkpoint keep their embeddings.

    Args:
        trainer: With its callbacks; those that would give it others are taken out.
    """
    callbacks = callbacks_of(trainer)
    for callback in [each for each in callbacks if isinstance(each, PretrainedEmbeddings)]:
        callbacks.remove(callback)
        rank_zero_info("--init_from: its embeddings are kept, PretrainedEmbeddings reads no file")


def _copy(vectors: WordVectors, embedding: TokenEmbedding, tokenizer: Tokenizer, side: str) -> None:
    """Copies what a file has of a vocabulary, and tells how much that is."""
    width = embedding.embedding_dim
    if vectors.width != width:
        raise UserError(
            f"{vectors.path} has vectors of width {vectors.width}, but model.init_args.embedding_size is {width}: give "
            f"a file of width {width}, or set embedding_size to {vectors.width}"
        )
    ids = range(len(SPECIAL_PIECES), tokenizer.vocabulary_size)
    symbols = dict(zip(tokenizer.pieces(ids), ids, strict=True))
    found, rows = vectors.rows(symbols)
    with torch.no_grad():
        weight = embedding.weight
        weight[found] = torch.from_numpy(rows / embedding.scale).to(weight)
    share = len(found) / max(1, len(ids))
    rank_zero_info(f"{vectors.path}: vectors of {len(found):,} of {len(ids):,} {side} symbols ({share:.1%})")
