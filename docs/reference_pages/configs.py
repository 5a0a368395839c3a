"""The configs that come with seqlab, each with the first sentence of its own comment."""

from __future__ import annotations

from itertools import groupby
from pathlib import PurePosixPath

from experiments.config.shipped_configs import shipped_configs, summary_of
from reference_pages.markdown import table

BEGINNING = """\
# Configs

The experiments, studies and searches that come with seqlab. Every command finds them in any directory; `seqlab configs
copy NAME` copies one to be changed. `configs/reference.yaml` has every key of an experiment, with what it is.

"""


def config_page() -> str:
    """The page."""
    known = shipped_configs()
    parts = [BEGINNING]
    for folder, names in groupby(sorted(known, key=lambda name: (_folder(name), name)), key=_folder):
        rows = [(f"`{name}`", summary_of(known[name])) for name in names]
        parts.append(f"## {folder}\n\n{table(('config', 'what it is'), rows)}\n")
    return "\n".join(parts)


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)
