"""What Python gets of seqlab: trained models that translate, experiments to train, the results of studies.

    import seqlab

    translator = seqlab.load("runs/dates/1")
    translator.translate(["Monday, the third of June, twenty nineteen"])[0].text

    model, data, trainer = seqlab.load_experiment("configs/nmt/dates.yaml", {"trainer.max_epochs": 1})
    trainer.fit(model, data)

    seqlab.study_results("studies/attention/quick").frame()

What a person can mend is a :class:`UserError` of one line, what failed while running a :class:`RunFailed`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING


def _check_packages() -> None:
    """Looks whether the packages that will be imported are seqlab's.

    Raises:
        ImportError: Another folder of such a name comes first on the path.
    """
    here = Path(__file__).resolve().parent
    for name in ("datamodules", "lightning_modules", "experiments"):
        found = find_spec(name)
        places = [] if found is None else [Path(place).resolve() for place in found.submodule_search_locations or []]
        if here / name not in places:
            where = found.origin or str(places[0]) if found is not None and (found.origin or places) else "nowhere"
            raise ImportError(
                f"'{name}' is {where}, but seqlab has a package of that name in {here}: rename yours, or start Python "
                "from another directory",
                name=name,
            )


try:
    _check_packages()
except ImportError as hidden:
    if __name__ != "__main__":
        raise
    sys.exit(f"seqlab: error: {hidden}")

from datamodules.errors import RunFailed, UserError  # noqa: E402 - of seqlab's own package

if TYPE_CHECKING:
    from experiments.runs.experiment import Experiment
    from experiments.runs.translator import Translator
    from experiments.studies.rows import StudyRows

__all__ = ["RunFailed", "UserError", "load", "load_experiment", "study_results"]

Location = str | PathLike[str]
"""A path."""


def load(path: Location | Sequence[Location], trust: str | Sequence[str] = (), device: str = "auto") -> Translator:
    """Makes a translator of a checkpoint alone.

    Args:
        path: A checkpoint, or a run's directory: its best one. Of several, the probabilities are averaged.
        trust: A package, or several, whose classes the checkpoint may name beside seqlab's and torch's own.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` is CUDA where there is one, else the CPU.

    Returns:
        Its ``translate(lines)`` gives for each line a hypothesis, with text, score, tokens, their probabilities, and
        what they attended to; see :class:`experiments.runs.translator.Translator`.

    Raises:
        UserError: There is no such checkpoint or device, or the checkpoint cannot be used.
    """
    from experiments.runs.translator import load_ensemble

    return load_ensemble(_paths(path), [trust] if isinstance(trust, str) else trust, device)


def load_experiment(config: Location | Sequence[Location], overrides: Mapping[str, object] | None = None) -> Experiment:
    """Makes what ``seqlab fit`` would run, without running it.

    Args:
        config: A config file, or several, of which later ones win.
        overrides: Options of ``seqlab fit`` without their dashes, as ``{"trainer.max_epochs": 1}``; they win over all
            files.

    Returns:
        Model, data and trainer. ``trainer.fit(model, data)`` trains as ``seqlab fit`` does, in a run's directory that
        is made then, and is ``trainer.default_root_dir``.

    Raises:
        UserError: Whatever ``seqlab fit`` would refuse.
    """
    from experiments.runs.experiment import load_experiment as load_experiment_of

    return load_experiment_of(_paths(config), overrides or {})


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
    from experiments.studies.rows import read_rows

    return read_rows(Path(fspath(path)))


def _paths(given: Location | Sequence[Location]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | PathLike) else [Path(each) for each in given]


def main() -> int:
    """Runs the command line."""
    from experiments.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
