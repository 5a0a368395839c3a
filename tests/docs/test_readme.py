"""README.md: short, and what it links to is there."""

from __future__ import annotations

import re

from tests.docs.pages import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.split()) <= 900


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 10
    assert all((PROJECT / link).is_file() for link in links)


def test_the_first_screen_has_a_picture() -> None:
    assert "![" in "\n".join(README.splitlines()[:12])
