"""Every snippet of Python on a page runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.pages import PROJECT, blocks, pages
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

WHOLE = '{"trainer.max_epochs": 1}'
"""What a page says that trains all of an experiment, and what is run in its place."""

LITTLE = '{"trainer.max_epochs": 1, "data.init_args.train_size": 200, "data.init_args.val_size": 20}'

SNIPPETS = {
    f"{path.relative_to(PROJECT)}-{place}": code
    for path, text in pages()
    for place, (word, code) in enumerate(blocks(text))
    if word == "python" or (not word and code.startswith(("import ", "from ")))
}


@pytest.mark.parametrize("name", SNIPPETS)
def test_it_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "runs" / "dates" / "1" / "checkpoints").mkdir(parents=True)
    for place in ("mine.ckpt", "runs/dates/1/checkpoints/best.ckpt"):
        write(tmp_path / place, tiny_checkpoint())
    exec(compile(SNIPPETS[name].replace(WHOLE, LITTLE), name, "exec"), {"__name__": "snippet"})


def test_there_are_some() -> None:
    assert len(SNIPPETS) >= 4
