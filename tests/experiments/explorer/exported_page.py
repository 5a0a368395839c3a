"""What an exported page holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def answers(page: Path) -> list[dict[str, Any]]:
    """The questions that it can answer, each with ``path``, ``question`` and ``answer``."""
    found = re.search(r'id="recorded">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found is not None
    held: list[dict[str, Any]] = json.loads(found[1])["answers"]
    return held


def answer(page: Path, path: str) -> dict[str, Any]:
    """The first answer of an address."""
    found: dict[str, Any] = next(each["answer"] for each in answers(page) if each["path"] == path)
    return found
