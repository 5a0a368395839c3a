"""What lies where in the directory of a run, and how one is found: ``runs/<experiment>/<version>/``."""

from __future__ import annotations

from pathlib import Path

from datamodules.errors import LONGEST_LIST, UserError
from experiments.storage.shell import quoted

RUNS = "runs"
"""Where runs are kept, unless ``--trainer.default_root_dir`` says otherwise."""

CHECKPOINTS = "checkpoints"
BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"
AVERAGED_CHECKPOINT = "averaged.ckpt"
CONFIG = "config.yaml"
RECORD = "record.json"
METRICS = "metrics.csv"
FIGURES = "figures"
KEYWORDS = ("best", "last", "averaged")
"""What ``--ckpt_path`` takes in place of a file: a checkpoint of the experiment's newest run."""


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a path given by the user means.

    Args:
        path: A checkpoint, which need not exist, or the directory of a run (or its ``checkpoints``).

    Returns:
        The path itself; of a directory, its best checkpoint, else its last.

    Raises:
        UserError: The directory has neither.
    """
    if not path.is_dir():
        return path
    for directory in (path / CHECKPOINTS, path):
        for name in (BEST_CHECKPOINT, LAST_CHECKPOINT):
            if (directory / name).is_file():
                return directory / name
    raise UserError(f"{path} is a directory without best.ckpt or last.ckpt: {in_its_place(path)}")


def in_its_place(directory: Path) -> str:
    """What to give in place of a directory: a checkpoint in it, or one of its runs, where it has some.

    Args:
        directory: Where a checkpoint was looked for.
    """
    for inner in (directory / CHECKPOINTS, directory):
        if there := sorted(path.name for path in inner.glob("*.ckpt")):
            return f"give a file of {quoted(inner)}: {', '.join(there[:LONGEST_LIST])}"
    runs = runs_below(directory)
    return f"give one of its runs, {runs}" if runs else "give the checkpoint's file itself"


def runs_below(directory: Path) -> str:
    """Names the runs in a directory of runs, or of experiments, for the end of an error message.

    Args:
        directory: Need not exist.

    Returns:
        ``"runs/dates/2, runs/dates/1"``, the one that wrote a checkpoint last first; nothing where there is none.
    """
    written: dict[Path, int] = {}
    for pattern in (f"*/{CHECKPOINTS}/*.ckpt", f"*/*/{CHECKPOINTS}/*.ckpt"):
        for checkpoint in directory.glob(pattern):
            run = checkpoint.parent.parent
            written[run] = max(written.get(run, 0), checkpoint.stat().st_mtime_ns)
    runs = sorted(written, key=lambda run: (written[run], run), reverse=True)
    if not runs:
        return ""
    listed = ", ".join(quoted(run) for run in runs[:LONGEST_LIST])
    more = f" and {len(runs) - LONGEST_LIST:,} older ones" if len(runs) > LONGEST_LIST else ""
    return f"{listed}{more}"


def newest_run(root: Path, experiment: str) -> Path | None:
    """The run of an experiment that wrote a checkpoint last; None where none did."""
    written = list((root / experiment).glob(f"*/{CHECKPOINTS}/*.ckpt"))
    return max(written, key=lambda path: path.stat().st_mtime_ns).parent.parent if written else None


def last_begun_run(root: Path, experiment: str) -> Path | None:
    """The run of an experiment whose training was under way last, be it that it has no checkpoint yet."""
    found = [path for path in (root / experiment).glob("*") if path.is_dir()]
    begun = [path for path in found if path.name.isdigit() or (path / CONFIG).is_file()]
    return max(begun, key=_last_sign, default=None)


def _last_sign(run: Path) -> int:
    """When a training last gave a sign in a directory, in nanoseconds: others write there as well, but not these."""
    signs = [path for path in (run / CONFIG, *(run / CHECKPOINTS).glob("*.ckpt")) if path.is_file()]
    return max(path.stat().st_mtime_ns for path in signs or [run])


def has_checkpoint(run: Path) -> bool:
    """Whether a run has written any checkpoint, be it that no training can resume from it."""
    return any((run / CHECKPOINTS).glob("*.ckpt"))


def run_of(checkpoint: Path) -> Path | None:
    """The run directory that a checkpoint lies in; None where it lies elsewhere."""
    run = checkpoint.absolute().parent.parent
    return run if checkpoint.absolute().parent.name == CHECKPOINTS and (run / CONFIG).is_file() else None
