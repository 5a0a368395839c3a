"""Which checkpoint is meant: by ``--ckpt_path``, or by the directory of a run that is resumed."""

from __future__ import annotations

from pathlib import Path

from datamodules.errors import UserError, suggest
from experiments.checkpoints.reading import is_resumable, load_archive
from experiments.storage.layout import (
    AVERAGED_CHECKPOINT,
    CHECKPOINTS,
    KEYWORDS,
    LAST_CHECKPOINT,
    find_checkpoint,
    newest_run,
)


def newest_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a killed training resumes from; None where it has written none.

    Args:
        run: Its directory.

    Returns:
        ``last.ckpt``; where it is not there yet, or was not asked for, the one that was written last of those that have
        the state of the training.
    """
    last = run / CHECKPOINTS / LAST_CHECKPOINT
    if last.is_file():
        return last
    others = [path for path in last.parent.glob("*.ckpt") if path.name != AVERAGED_CHECKPOINT]
    by_age = sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return next((path for path in by_age if _is_resumable(path)), None)


def _is_resumable(path: Path) -> bool:
    try:
        return is_resumable(load_archive(path))
    except UserError:
        return True  # whoever resumes from it is told what is wrong with it


def meant_checkpoint(given: str, root: Path, experiment: str) -> Path:
    """The checkpoint that ``--ckpt_path`` means.

    Args:
        given: A file, a run directory (its best checkpoint is taken, else its last), or one of :data:`KEYWORDS`.
        root: Where runs are kept.
        experiment: Name of the experiment, for the keywords.

    Raises:
        UserError: There is no such checkpoint.
    """
    if given not in KEYWORDS:
        if Path(given).name == given and not Path(given).suffix and not Path(given).exists():
            raise UserError(f"--ckpt_path {given}: there is no such file; {suggest(given, KEYWORDS)}, or a path")
        return find_checkpoint(Path(given))
    run = newest_run(root, experiment)
    if run is None:
        raise UserError(
            f"--ckpt_path {given}: experiment '{experiment}' has no checkpoint in {root / experiment}: train it with "
            "seqlab fit, or give the path of a checkpoint"
        )
    path = run / CHECKPOINTS / f"{given}.ckpt"
    if not path.is_file():
        there = sorted(found.stem for found in path.parent.glob("*.ckpt"))
        raise UserError(f"--ckpt_path {given}: {path} does not exist; {suggest(given, there)} (--ckpt_path NAME)")
    return path
