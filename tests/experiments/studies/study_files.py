"""Studies written for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TINY: dict[str, Any] = {
    "question": "Does it help?",
    "presets": {"quick": {"options": {"trainer.max_epochs": 1}}, "full": {}},
    "metrics": [{"name": "val/loss", "better": "lower"}],
    "variants": {"first": None, "second": {"options": {"model.init_args.dropout": 0.5}}},
}


def write_study(folder: Path, **changes: object) -> Path:
    """Writes a study of two variants.

    Args:
        folder: Where; its base config is an empty file beside it.
        changes: What it says otherwise; None takes a key out.
    """
    base = folder / "base.yaml"
    base.touch()
    content = {"configs": [str(base)], **TINY, **changes}
    path = folder / "tiny_study.yaml"
    path.write_text(
        yaml.safe_dump({name: value for name, value in content.items() if value is not None}, sort_keys=False)
    )
    return path
