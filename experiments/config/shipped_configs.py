"""The configs that come with seqlab, for whoever works away from its repository."""

from __future__ import annotations

import itertools
import os
import re
from difflib import get_close_matches
from pathlib import Path

FOLDER = "configs"
"""How their paths begin, here and in the repository."""

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_configs() -> dict[str, Path]:
    """The files by the path that commands take: ``configs/nmt/dates.yaml``."""
    folder = _folder()
    return {f"{FOLDER}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*.yaml"))}


def find_config(given: Path) -> Path:
    """The file that a path means.

    Args:
        given: A path, as ``configs/nmt/dates.yaml``.

    Returns:
        The file that comes with seqlab, where the working directory has none of that name; else the path itself.
    """
    shipped = shipped_configs().get(Path(os.path.normpath(given)).as_posix())
    return given if shipped is None or given.exists() else shipped


def close_configs(name: str) -> list[str]:
    """The paths that a name which is none of them could mean, of those that are here and that come with seqlab.

    Args:
        name: A path with something mistyped, or its last part alone, as ``dates`` or ``date.yaml``.
    """
    here = [path.as_posix() for path in Path(name).parent.glob("*.y*ml")]
    known = [*here, *shipped_configs()]
    stem = Path(name).stem
    same = [path for path in known if Path(path).stem == stem]
    if same:
        return same
    stems = get_close_matches(stem, [Path(path).stem for path in known]) if Path(name).parent == Path() else []
    return get_close_matches(name, known) or [path for path in known if Path(path).stem in stems]


def configs_in(folder: Path) -> dict[str, Path]:
    """The files of a folder, by name without ending: those of the working directory, and those that come with seqlab.

    Args:
        folder: As ``configs/studies``.
    """
    shipped = [path for name, path in shipped_configs().items() if Path(name).parent == folder]
    return {path.stem: path for path in (*shipped, *folder.glob("*.yaml"))}


def summary_of(path: Path) -> str:
    """The first sentence of a config's comment; empty where it has none.

    Args:
        path: The file.
    """
    lines = itertools.takewhile(lambda line: line.startswith("# "), path.read_text(encoding="utf-8").splitlines())
    paragraph = " ".join(line.removeprefix("# ").strip() for line in lines)
    return re.split(r"(?<=[.?]) ", paragraph, maxsplit=1)[0]


def _folder() -> Path:
    """Where they are: within the package as it is installed, beside it in the repository."""
    installed = _PACKAGE / FOLDER
    return installed if installed.is_dir() else _PACKAGE.parent / FOLDER
