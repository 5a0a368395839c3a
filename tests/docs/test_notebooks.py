"""The notebooks: each runs from its first cell to its last, on little data, and its outputs are kept."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
SHARE = "0.08"
"""Of the training data that a reader's run takes."""

LARGEST = 300_000
"""Bytes of a notebook with its outputs."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("nbclient", "ipykernel")),
        reason="no nbclient: pip install 'seqlab[docs]'",
    ),
]


def test_there_is_one_for_each_part() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"0{part}" for part in range(2, 10)]


@pytest.mark.drawn
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("SEQLAB_NOTEBOOK_SHARE", SHARE)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    drawn = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert drawn


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_outputs_are_kept(path: Path) -> None:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert path.stat().st_size < LARGEST
    assert "Your turn" in notebook.cells[-1].source
