"""What Python gets of seqlab: trained models that translate, experiments to train, what runs and studies measured.

For example::

    import seqlab

    translator = seqlab.load("runs/dates/1")
    translator.translate(["Monday, the third of June, twenty nineteen"])[0].text

    model, data, trainer = seqlab.load_experiment("configs/nmt/dates.yaml", {"trainer.max_epochs": 1})
    trainer.fit(model, data)
    seqlab.run_metrics(trainer.default_root_dir)["val/loss"].values

    seqlab.study_results("studies/attention/quick").frame()

What a person can mend is a :class:`UserError` of one line, what failed while running a :class:`RunFailed`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules.errors import RunFailed, UserError
    from experiments.checkpoints.translation import Translation
    from experiments.checkpoints.translator import Translator
    from experiments.figures.curves import Series
    from experiments.runs.experiment import Experiment
    from experiments.studies.rows import StudyRows
    from lightning_modules.kernels.packed_weights import Precision

__all__ = [
    "Experiment",
    "RunFailed",
    "Series",
    "StudyRows",
    "Translation",
    "Translator",
    "UserError",
    "load",
    "load_experiment",
    "run_metrics",
    "study_results",
]

_LATE = {
    "Experiment": "experiments.runs.experiment",
    "RunFailed": "datamodules.errors",
    "Series": "experiments.figures.curves",
    "StudyRows": "experiments.studies.rows",
    "Translation": "experiments.checkpoints.translation",
    "Translator": "experiments.checkpoints.translator",
    "UserError": "datamodules.errors",
}
"""The classes, each with its module, which is imported when it is asked for."""

Location = str | PathLike[str]
"""A path."""


def load(
    path: Location | Sequence[Location],
    trust: str | Sequence[str] = (),
    device: str = "auto",
    precision: Precision | None = None,
) -> Translator:
    """Makes a translator of a checkpoint alone.

    Args:
        path: A checkpoint, or a run's directory: its best one. Of several, the probabilities are averaged.
        trust: A package, or several, whose classes the checkpoint may name beside seqlab's and torch's own.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` is CUDA where there is one, else the CPU.
        precision: ``float32``, ``bfloat16`` or ``int8``: in what a search makes its large products on the CPU; if not
            given, int8 for a checkpoint of ``seqlab quantise``, else float32.

    Returns:
        Its ``translate(lines)`` gives for each line a hypothesis, with text, score, tokens, their probabilities, and
        what they attended to; see :class:`experiments.checkpoints.translator.Translator`.

    Raises:
        UserError: There is no such checkpoint or device, or the checkpoint cannot be used.
    """
    _check_packages()
    from experiments.checkpoints.loading import load_ensemble

    return load_ensemble(_paths(path, "path"), [trust] if isinstance(trust, str) else trust, device, precision)


def load_experiment(
    config: Location | Sequence[Location], overrides: Mapping[str, object] | Sequence[str] = ()
) -> Experiment:
    """Makes what ``seqlab fit`` would run, without running it.

    Args:
        config: A config file, or several, of which later ones win.
        overrides: Options of ``seqlab fit`` by their names, as ``{"trainer.max_epochs": 1}``, or as they are typed, as
            ``["--trainer.max_epochs=1"]``, with or without ``--``; they win over all files.

    Returns:
        Model, data and trainer. ``trainer.fit(model, data)`` trains as ``seqlab fit`` does, in a run's directory that
        is made then, and is ``trainer.default_root_dir``.

    Raises:
        UserError: Whatever ``seqlab fit`` would refuse.
    """
    _check_packages()
    from experiments.runs import experiment

    return experiment.load_experiment(_paths(config, "config"), overrides)


def run_metrics(path: Location) -> dict[str, Series]:
    """Reads what a training logged, also while it is under way.

    Args:
        path: The run's directory, as ``runs/dates/1`` or ``trainer.default_root_dir``, or its ``metrics.csv``.

    Returns:
        For each metric, as ``val/loss``, the optimizer steps at which it was logged, and its values.

    Raises:
        UserError: Nothing was logged there.
    """
    _check_packages()
    from experiments.figures.curves import run_series

    return run_series(Path(path))


def study_results(path: Location) -> StudyRows:
    """Reads what a study measured.

    Args:
        path: The study's directory, as ``studies/attention/quick``, or its ``results.csv``.

    Returns:
        A list with a mapping for each run: numbers as numbers, None for what a run does not have. Its ``frame()`` is a
        DataFrame, where pandas is installed.

    Raises:
        UserError: There are no results.
    """
    _check_packages()
    from experiments.studies.rows import read_rows

    return read_rows(Path(path))


def _paths(given: Location | Sequence[Location], name: str) -> list[Path]:
    """One path, or several, as a list.

    Raises:
        UserError: It is nothing of the kind.
    """
    from datamodules.errors import UserError

    each = [given] if isinstance(given, str | PathLike) else given
    if not isinstance(each, Sequence) or not all(isinstance(one, str | PathLike) for one in each):
        raise UserError(f"{name} is {given!r}, but has to be a path, or a list of them")
    return [Path(one) for one in each]


def _check_packages() -> None:
    """Looks whether the packages that are imported next are seqlab's.

    Raises:
        ImportError: Another one of such a name comes before it on the path.
    """
    here = Path(__file__).resolve().parent
    for name in ("datamodules", "lightning_modules", "experiments"):
        found = find_spec(name)
        places = [] if found is None else [Path(place).resolve() for place in found.submodule_search_locations or []]
        if here / name not in places:
            other = places[0] if places else found.origin if found else None
            raise ImportError(
                f"{other} hides seqlab's own package '{name}' in {here}: rename it, or take its directory off the "
                "path (PYTHONPATH, or where Python was started)",
                name=name,
            )


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module 'seqlab' has no attribute '{name}'")
    _check_packages()
    return getattr(import_module(_LATE[name]), name)


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status; 2 also where other packages hide seqlab's.
    """
    try:
        _check_packages()
    except ImportError as hidden:
        print(f"seqlab: error: {hidden}", file=sys.stderr)
        return 2
    from experiments import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
