"""The checkpoints that the explorer shows, read when they are first asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from datamodules.errors import UserError
from experiments.checkpoints.forecaster import load_forecaster
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.saved_task import is_of_music, trained_task
from experiments.checkpoints.text_labeller import load_labeller
from experiments.config.class_paths import DATA_HYPERPARAMETERS, import_classes, resolve
from experiments.explorer.neighbours import Corpus, StateIndex
from experiments.explorer.views.labels import LabelView
from experiments.explorer.views.music import MusicView
from experiments.explorer.views.series import SeriesView
from experiments.explorer.views.translation import TranslationView
from experiments.storage.layout import CHECKPOINTS, find_checkpoint
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.forecasting.module import ForecastModule
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

Kind = Literal["translation", "labels", "series"]
View = TranslationView | LabelView | SeriesView
ViewT = TypeVar("ViewT", TranslationView, LabelView, SeriesView)

KINDS: dict[type, Kind] = {
    TokenEncoderDecoder: "translation",
    BiRNNTextClassifier: "labels",
    ForecastModule: "series",
}

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
    """Checkpoints by number: those that were given, and those of the first one's training beside them.

    Args:
        paths: The checkpoint, and the one that it is compared with, if any; each may be the directory of a run.
        trusted: Packages whose classes they may name, besides the project's own.
        device: A device of torch, or ``auto``.
        series: The file of the series that is forecast; None for none.
        corpus: What nearest neighbours are looked for in; None for nothing.

    Attributes:
        all: All of them, those that were given first.
        compared: The number of the one that is compared; None where none is.
        kind: What they are of.
        music: What a model of music is asked; None of another.
        corpus: What nearest neighbours are looked for in.

    Raises:
        UserError: One does not exist, or is of a model that cannot be looked at.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        trusted: Sequence[str] = (),
        device: str = "auto",
        series: str | None = None,
        corpus: Corpus | None = None,
    ) -> None:
        self._trusted, self._device, self._series = list(trusted), device, series
        given = [find_checkpoint(path) for path in paths]
        self.all = [Exhibit(_name(path, given), path) for path in given]
        self.all += [Exhibit(path.stem, path, True) for path in epochs_beside(given[0])]
        self.compared = 1 if len(given) > 1 else None
        self.kind: Kind = self._kind_of(given[0])
        for path in given[1:]:
            if self._kind_of(path) != self.kind:
                raise UserError(f"{path} is of another kind of model than {given[0]}: compare two of one kind")
        self.music = MusicView(trained_task(given[0], trusted)) if is_of_music(given[0], trusted) else None
        self.corpus = corpus
        self._loaded: OrderedDict[int, View] = OrderedDict()
        self._indices: dict[int, StateIndex] = {}
        self._any(0)

    def view(self, number: int, kind: type[ViewT]) -> ViewT:
        """Looks at a checkpoint, which is read if it is not in memory.

        Args:
            number: Its place in :attr:`all`.
            kind: Of the view.

        Raises:
            UserError: There is none of that number, or it cannot be used.
        """
        view = self._any(number)
        assert isinstance(view, kind)
        return view

    def index(self, number: int) -> StateIndex:
        """The states of the corpus, made when they are first asked for; one checkpoint's at a time.

        Args:
            number: Of the checkpoint.

        Raises:
            UserError: No corpus was given, or the model has no such states.
        """
        if self.corpus is None:
            raise UserError("there is no corpus: give one by --corpus")
        if number not in self._indices:
            self._indices = {number: StateIndex(self.view(number, TranslationView).translator, self.corpus)}
        return self._indices[number]

    def told(self) -> list[dict[str, Any]]:
        """The checkpoints as plain values."""
        return [{"name": each.name, "of_training": each.of_training} for each in self.all]

    def of_training(self) -> list[int]:
        """The numbers of those that the training left, the first epoch first."""
        return [number for number, each in enumerate(self.all) if each.of_training]

    def _any(self, number: int) -> View:
        if not 0 <= number < len(self.all):
            raise UserError(f"checkpoint is {number}: give 0 to {len(self.all) - 1}")
        if number not in self._loaded:
            self._loaded[number] = self._read(self.all[number].path)
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(number)
        return self._loaded[number]

    def _read(self, path: Path) -> View:
        if self.kind == "translation":
            return TranslationView(load_translator(path, self._trusted, self._device))
        if self.kind == "labels":
            return LabelView(load_labeller(path, self._trusted, self._device))
        if self._series is None:
            raise UserError(f"{path} forecasts: give the series by --input, a CSV file as that of the training")
        return SeriesView.of_file(*load_forecaster(path, self._trusted, self._device), self._series)

    def _kind_of(self, path: Path) -> Kind:
        hyperparameters = (
            read_checkpoint(path, self._trusted, unused=[DATA_HYPERPARAMETERS]).get("hyper_parameters") or {}
        )
        class_path = hyperparameters.get("_class_path")
        if class_path is None:
            raise UserError(f"{path} does not say which model it is of: give a checkpoint that 'seqlab fit' wrote")
        import_classes(hyperparameters)
        model = resolve(class_path)
        for known, kind in KINDS.items():
            if isinstance(model, type) and issubclass(model, known):
                return kind
        raise UserError(
            f"{path} is a checkpoint of {class_path}, which the explorer cannot show: give one that translates, "
            "labels texts or forecasts"
        )


def epochs_beside(path: Path) -> list[Path]:
    """The checkpoints that a training left at its epochs, the first epoch first; fewer than two tell nothing.

    Args:
        path: One of the run's checkpoints.
    """
    found = sorted(path.parent.glob("epoch-*.ckpt")) if path.parent.name == CHECKPOINTS else []
    return found if len(found) > 1 else []


def _name(path: Path, others: Sequence[Path]) -> str:
    """The end of a path that tells it from the others."""
    words = [part for part in path.absolute().with_suffix("").parts if part != CHECKPOINTS][-3:]
    unlike = [other for other in others if other != path]
    return path.stem if unlike and all(other.stem != path.stem for other in unlike) else "/".join(words)
