"""The site: it is built without a warning, has all that there is, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.cli import COMMANDS
from experiments.config.known_classes import import_parts, subclasses
from experiments.config.shipped_configs import shipped_configs
from lightning_modules.layers.attention import Attention
from tests.docs.pages import DOCS

NEEDED = ("sphinx", "myst_nb", "furo")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(any(find_spec(name) is None for name in NEEDED), reason="no Sphinx: pip install 'seqlab[docs]'"),
]

LOADED = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=\"((?:https?:)?//[^\"]*)\"")
IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]*)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a process of its own: a warning, as of a link that leads nowhere, ends it."""
    place = tmp_path_factory.mktemp("site")
    words = ["-q", "-W", "--keep-going", "-d", str(place / "kept"), str(DOCS), str(place / "pages")]
    built = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return place / "pages"


def test_commands_parts_and_configs_are_all_there(site: Path) -> None:
    import_parts()
    for name in COMMANDS:
        assert f"seqlab {name}" in (site / "reference" / "made" / "commands" / f"{name}.html").read_text()
    attentions = (site / "reference" / "made" / "parts" / "attention.html").read_text()
    for path in subclasses([Attention]):
        assert f'id="{path}"' in attentions
    configs = (site / "reference" / "made" / "configs.html").read_text()
    assert all(name in configs for name in shipped_configs())
    metrics = (site / "reference" / "made" / "metrics.html").read_text()
    assert all(name in metrics for name in ("exact_match", "val/exposure_gap", "val/attention_entropy"))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not LOADED.findall(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        assert not IN_STYLES.findall(style.read_text(encoding="utf-8")), style


def test_formulas_are_drawn_by_the_browser(site: Path) -> None:
    page = (site / "notebooks" / "05_attention.html").read_text(encoding="utf-8")
    assert "<math" in page
    assert "MathJax" not in page


def test_the_pictures_of_notebooks_are_there(site: Path) -> None:
    assert "data:image/png" in (page := (site / "notebooks" / "05_attention.html").read_text()) or ".png" in page
