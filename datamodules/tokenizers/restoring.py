"""A tokenizer out of what a checkpoint says of it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from datamodules.errors import UserError, suggest
from datamodules.tokenizers.protocol import Tokenizer


def restore_tokenizer(description: Mapping[str, Any]) -> Tokenizer:
    """Makes a trained tokenizer from what :meth:`Tokenizer.describe` gave.

    The class is imported: of a description from elsewhere, check first that its package is trusted.

    Args:
        description: ``class_path`` and ``state``.

    Raises:
        UserError: The class does not exist or is no tokenizer, or the state is damaged.
    """
    path, state = description.get("class_path"), description.get("state")
    if not isinstance(path, str) or not isinstance(state, Mapping) or not isinstance(state.get("settings"), Mapping):
        raise UserError("damaged description of a tokenizer: it needs class_path and state")
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(f"tokenizer {path}: there is no module {module_name!r} here; install its package") from error
    tokenizer_class = getattr(module, name, None)
    if not (isinstance(tokenizer_class, type) and issubclass(tokenizer_class, Tokenizer)):
        known = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Tokenizer)]
        raise UserError(f"{path} is no tokenizer; {suggest(name, known)}")
    try:
        tokenizer = tokenizer_class(**state["settings"])
    except TypeError as error:
        raise UserError(f"tokenizer {path} cannot be made from its settings: {error}") from error
    tokenizer.load_state_dict(state)
    return tokenizer
