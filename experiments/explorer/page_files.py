"""What the page is made of."""

from __future__ import annotations

from importlib.resources import files

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page_files() -> dict[str, tuple[bytes, str]]:
    """Content and type of each file by its path, read at once, so that no request reaches the disk."""
    found = {}
    for file in files("experiments.explorer.page").iterdir():
        kind = TYPES.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            found["/" if file.name == "index.html" else f"/{file.name}"] = (file.read_bytes(), kind)
    return found
