"""The checkpoints that the explorer shows, read when they are first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datamodules.errors import UserError
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.translator import Translator
from experiments.config.class_paths import DATA_HYPERPARAMETERS, import_classes, resolve
from experiments.explorer.translation_view import TranslationView
from experiments.storage.layout import CHECKPOINTS, find_checkpoint
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

Kind = Literal["translation"]

MOST_LOADED = 8
"""Checkpoints in memory at a time: of a training with more, those that were looked at last."""


@dataclass(frozen=True)
class Exhibit:
    """A checkpoint that may be looked at.

    Attributes:
        name: What the page calls it.
        path: Its file.
        of_training: Whether it is one of those that a training left at its epochs.
    """

    name: str
    path: Path
    of_training: bool = False


class Exhibits:
    """Checkpoints by number: those that were given, and those of their trainings' epochs beside them.

    Args:
        paths: The checkpoint, and the one that it is compared with, if any; each may be the directory of a run.
        trusted: Packages whose classes they may name, besides the project's own.
        device: A device of torch, or ``auto``.

    Attributes:
        all: All of them, those that were given first.
        compared: The number of the one that is compared; None where none is.
        kind: What they are of.

    Raises:
        UserError: One does not exist, or is of a model that cannot be looked at.
    """

    def __init__(self, paths: Sequence[Path], trusted: Sequence[str] = (), device: str = "auto") -> None:
        self._trusted, self._device = list(trusted), device
        given = [find_checkpoint(path) for path in paths]
        self.all = [Exhibit(_name(path, given), path) for path in given]
        self.all += [Exhibit(path.stem, path, True) for path in epochs_beside(given[0])]
        self.compared = 1 if len(given) > 1 else None
        self.kind: Kind = self._kind_of(given[0])
        for path in given[1:]:
            if self._kind_of(path) != self.kind:
                raise UserError(f"{path} is of another kind of model than {given[0]}: compare two of one kind")
        self._loaded: OrderedDict[int, TranslationView] = OrderedDict()
        self.view(0)

    def view(self, number: int) -> TranslationView:
        """Looks at a checkpoint, which is read if it is not in memory.

        Args:
            number: Its place in :attr:`all`.

        Raises:
            UserError: There is none of that number, or it cannot be used.
        """
        if not 0 <= number < len(self.all):
            raise UserError(f"checkpoint is {number}: give 0 to {len(self.all) - 1}")
        if number not in self._loaded:
            self._loaded[number] = TranslationView(self.translator_of(self.all[number].path))
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(number)
        return self._loaded[number]

    def translator_of(self, path: Path) -> Translator:
        """The translator of a checkpoint."""
        return load_translator(path, self._trusted, self._device)

    def told(self) -> list[dict[str, Any]]:
        """The checkpoints as plain values."""
        return [{"name": each.name, "of_training": each.of_training} for each in self.all]

    def _kind_of(self, path: Path) -> Kind:
        hyperparameters = (
            read_checkpoint(path, self._trusted, unused=[DATA_HYPERPARAMETERS]).get("hyper_parameters") or {}
        )
        class_path = hyperparameters.get("_class_path")
        if class_path is None:
            raise UserError(f"{path} does not say which model it is of: give a checkpoint that 'seqlab fit' wrote")
        import_classes(hyperparameters)
        model = resolve(class_path)
        if isinstance(model, type) and issubclass(model, TokenEncoderDecoder):
            return "translation"
        raise UserError(f"{path} is a checkpoint of {class_path}, which the explorer cannot show")


def epochs_beside(path: Path) -> list[Path]:
    """The checkpoints that a training left at its epochs, the first epoch first; fewer than two tell nothing.

    Args:
        path: One of the run's checkpoints.
    """
    found = sorted(path.parent.glob("epoch-*.ckpt")) if path.parent.name == CHECKPOINTS else []
    return found if len(found) > 1 else []


def _name(path: Path, others: Sequence[Path]) -> str:
    """The shortest end of a path that tells it from the others."""
    parts = path.absolute().with_suffix("").parts
    words = [part for part in parts if part != CHECKPOINTS][-3:]
    unlike = [other for other in others if other != path]
    is_clear = all(other.stem != path.stem for other in unlike)
    return path.stem if is_clear and unlike else "/".join(words)
