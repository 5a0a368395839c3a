"""A checkpoint made ready to translate text: model and tokenizers, without config or data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from datamodules.batch import BOS, EOS, Padded, SequenceBatch
from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer
from experiments.runs.checkpoints import find_checkpoint, read_checkpoint
from experiments.runs.class_paths import DATA_HYPERPARAMETERS
from experiments.runs.saved_tokenizers import restore_tokenizers
from experiments.runs.trained_model import trained_model
from lightning_modules.decoding.ensemble import Ensemble, Member
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search
from lightning_modules.encoder_decoder import EncoderDecoder


@dataclass(frozen=True)
class Translator:
    """A trained model, or an ensemble of several, between two tokenizers.

    Attributes:
        members: The models, in evaluation mode on one device: one, or those of an ensemble.
        source_tokenizer: Reads the source.
        target_tokenizer: Writes the hypotheses; the same object where the vocabulary is joint.
    """

    members: tuple[EncoderDecoder, ...]
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer

    @property
    def model(self) -> Member:
        """What searches and scores: the model, or the ensemble."""
        return self.members[0] if len(self.members) == 1 else Ensemble(self.members)

    def encode(self, sentence: str) -> list[int]:
        """The ids of a source sentence, closed by EOS."""
        return [*self.source_tokenizer.encode(sentence), EOS]

    @torch.inference_mode()
    def translate(
        self,
        sources: Sequence[list[int]],
        search: Search,
        with_attention: bool = False,
        prefixes: Sequence[list[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        """Translates one batch.

        Args:
            sources: From :meth:`encode`, at least one.
            search: How.
            with_attention: Also return what each hypothesis attended to.
            prefixes: For each source the target ids that its hypotheses begin with; None for nothing.

        Returns:
            For each source its hypotheses, best first; ``target_tokenizer`` decodes their ids.
        """
        forced = None if prefixes is None else self._padded(prefixes)
        return search(self.model, self._padded(sources), with_attention, forced)

    @torch.inference_mode()
    def score(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[list[float]]:
        """Scores given targets, one batch.

        Args:
            sources: From :meth:`encode`, at least one.
            targets: For each source the ids of its target, without EOS.

        Returns:
            For each target the log-probabilities of its tokens and of EOS, under teacher forcing.
        """
        closed = self._padded([[BOS, *target, EOS] for target in targets])
        batch = SequenceBatch(self._padded(sources), closed, torch.arange(len(sources)))
        scores = self.model.score(batch).tolist()
        return [row[: len(target) + 1] for row, target in zip(scores, targets, strict=True)]

    def _padded(self, sequences: Sequence[list[int]]) -> Padded:
        return Padded.from_sequences(sequences).to(self.members[0].device)


def load_ensemble(paths: Sequence[Path], trusted: Sequence[str] = (), device: str = "auto") -> Translator:
    """Makes one translator of several checkpoints, whose probabilities are averaged at each step.

    Args:
        paths: At least one; each as :func:`load_translator` takes it.
        trusted: Packages whose classes the checkpoints may name, besides the project's own.
        device: As :func:`load_translator` takes it.

    Raises:
        UserError: A checkpoint cannot be used alone (see :func:`load_translator`), or two have unlike vocabularies.
    """
    first, *others = (load_translator(path, trusted, device) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        for side in ("source", "target"):
            one, another = (getattr(each, f"{side}_tokenizer").fingerprint() for each in (first, other))
            if one != another:
                raise UserError(
                    f"{paths[0]} and {path} have unlike {side} vocabularies: an ensemble needs checkpoints whose "
                    "tokenizers were trained on the same text with the same settings"
                )
    members = tuple(member for each in (first, *others) for member in each.members)
    return Translator(members, first.source_tokenizer, first.target_tokenizer)


def load_translator(path: Path, trusted: Sequence[str] = (), device: str = "auto") -> Translator:
    """Makes a translator of a checkpoint alone.

    Args:
        path: A checkpoint, or the directory of a run: then its best one.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.
        device: A device of torch, or ``auto``: CUDA where there is one, else the CPU.

    Raises:
        UserError: The device does not exist; the checkpoint cannot be read (see
            :func:`experiments.runs.checkpoints.read_checkpoint`), is of another model class, has no tokenizers, or
            its weights do not fit its hyperparameters.
    """
    chosen = choose_device(device)
    path = find_checkpoint(path)
    checkpoint = read_checkpoint(path, trusted, unused=[DATA_HYPERPARAMETERS])
    model = trained_model(checkpoint, path, EncoderDecoder, "which does not translate: give one of an encoder-decoder")
    try:
        source_tokenizer, target_tokenizer = restore_tokenizers(checkpoint)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return Translator((model.to(chosen).eval(),), source_tokenizer, target_tokenizer)


def choose_device(name: str) -> torch.device:
    """The device that a name means on this machine.

    Args:
        name: A device of torch (``cpu``, ``cuda``, ``cuda:1``, ``mps``), or ``auto``: CUDA where there is one, else
            the CPU.

    Raises:
        UserError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"there is no device {name!r} here: give cpu, cuda, mps or auto") from error
    return device
