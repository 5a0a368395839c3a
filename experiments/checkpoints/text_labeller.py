"""A checkpoint of a text classifier made ready to label text: model, tokenizer and labels, without config or data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from datamodules.batch import SPECIAL_PIECES, Padded
from datamodules.corpora.training_lengths import TrainingLengths
from datamodules.errors import RunFailed, UserError
from datamodules.tokenizers import Tokenizer
from experiments.checkpoints.loading import choose_device
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.saved_tokenizers import LENGTHS, restore_tokenizers, saved_state
from experiments.checkpoints.trained_model import trained_model
from experiments.config.class_paths import DATA_HYPERPARAMETERS
from experiments.processes.memory_errors import is_out_of_memory
from experiments.storage.layout import find_checkpoint
from lightning_modules.birnn import BiRNNTextClassifier


@dataclass(frozen=True)
class TextLabeller:
    """A trained classifier of texts, or several whose probabilities are averaged.

    Attributes:
        members: The models, in evaluation mode on one device.
        tokenizer: Reads a text.
        label_tokenizer: Knows the labels.
        max_length: Tokens of a text that are read.
        longest: Tokens of the longest text in training; None where the checkpoint does not say.
    """

    members: tuple[BiRNNTextClassifier, ...]
    tokenizer: Tokenizer
    label_tokenizer: Tokenizer
    max_length: int
    longest: int | None

    @property
    def labels(self) -> list[str]:
        """The labels by class."""
        return self.label_tokenizer.pieces(range(len(SPECIAL_PIECES), self.label_tokenizer.vocabulary_size))

    def encode(self, text: str) -> list[int]:
        """The ids of a text; none of white space alone."""
        return self.tokenizer.encode(text) if text.strip() else []

    def probabilities(self, texts: Sequence[list[int]], batch_size: int) -> list[list[float]]:
        """How probable each label is, in batches of similar length.

        Args:
            texts: From :meth:`encode`; an empty one is passed over.
            batch_size: Texts of a batch.

        Returns:
            For each text a number for each label; none of an empty text.

        Raises:
            RunFailed: The memory does not suffice.
        """
        found: list[list[float]] = [[] for _ in texts]
        order = sorted((index for index, text in enumerate(texts) if text), key=lambda index: len(texts[index]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            rows = self._batch([texts[index][: self.max_length] for index in batch])
            for index, row in zip(batch, rows, strict=True):
                found[index] = row
        return found

    @torch.inference_mode()
    def _batch(self, texts: Sequence[list[int]]) -> list[list[float]]:
        try:
            source = Padded.from_sequences(texts).to(self.members[0].device)
            told = torch.stack([member(source).softmax(dim=-1) for member in self.members])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            longest = max(map(len, texts))
            raise RunFailed(
                f"out of memory on {len(texts):,} lines at once, the longest of {longest:,} tokens: lower --batch_size"
            ) from error
        rows: list[list[float]] = told.mean(dim=0).tolist()
        return rows


def load_labellers(paths: Sequence[Path], trusted: Sequence[str] = (), device: str = "auto") -> TextLabeller:
    """Makes one labeller of several checkpoints, whose probabilities are averaged.

    Args:
        paths: At least one; each as :func:`load_labeller` takes it.
        trusted: Packages whose classes the checkpoints may name, besides the project's own.
        device: As :func:`load_labeller` takes it.

    Raises:
        UserError: One cannot be used alone (see :func:`load_labeller`), or two have unlike vocabularies or labels.
    """
    first, *others = (load_labeller(path, trusted, device) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        for name in ("tokenizer", "label_tokenizer"):
            one, another = (getattr(each, name).fingerprint() for each in (first, other))
            if one != another:
                told = "labels" if name == "label_tokenizer" else "vocabularies"
                raise UserError(
                    f"{paths[0]} and {path} have unlike {told}: give checkpoints that were trained on the same data"
                )
    return replace(first, members=tuple(member for each in (first, *others) for member in each.members))


def load_labeller(path: Path, trusted: Sequence[str] = (), device: str = "auto") -> TextLabeller:
    """Makes a labeller of a checkpoint alone.

    Args:
        path: A checkpoint, or the directory of a run: then its best one.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.
        device: A device of torch, or ``auto``: CUDA where there is one, else the CPU.

    Raises:
        UserError: The device does not exist; the checkpoint cannot be read, is of another model, or has no labels.
    """
    chosen = choose_device(device)
    path = find_checkpoint(path)
    checkpoint = read_checkpoint(path, trusted, unused=[DATA_HYPERPARAMETERS])
    otherwise = "which gives texts no labels: give one of BiRNNTextClassifier"
    model = trained_model(checkpoint, path, BiRNNTextClassifier, otherwise)
    state = saved_state(checkpoint) or {}
    max_length = state.get("max_length")
    try:
        tokenizer, labels = restore_tokenizers(checkpoint)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(max_length, int) or labels.vocabulary_size - len(SPECIAL_PIECES) != model.output.out_features:
        raise UserError(f"{path} has no labels, or not as many as its model: give a checkpoint that 'seqlab fit' wrote")
    lengths = TrainingLengths.restored(state.get(LENGTHS))
    longest = None if lengths is None else lengths.source
    return TextLabeller((model.to(chosen).eval(),), tokenizer, labels, max_length, longest)
