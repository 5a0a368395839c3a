"""What a study or a search is read from: a YAML file whose keys are those of a record."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from datamodules.errors import UserError, suggest
from experiments.config.shipped_configs import find_config

Record = TypeVar("Record", bound=BaseModel)

NAME = "name"
"""The field of a record that is the name of its file, without ``.yaml``."""


def read_record(
    kind: type[Record], path: Path, needs: str, fault: Callable[[ValidationError], str], hint: str = ""
) -> Record:
    """Reads a record.

    Args:
        kind: Its class; messages call it by its name.
        path: Its YAML file.
        needs: What it has at least, in words.
        fault: Words what pydantic finds wrong.
        hint: What to do where there is no such file, behind the reason.

    Raises:
        UserError: It cannot be read, or says something that such a record does not have.
    """
    what = kind.__name__.lower()
    try:
        content = yaml.safe_load(find_config(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the {what} {path}: {error.strerror}{hint}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the {what} {path} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise UserError(f"the {what} {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"the {what} {path} is empty: it needs {needs}")
    try:
        return kind.model_validate({**content, NAME: path.stem})
    except ValidationError as error:
        raise UserError(f"{path}: {fault(error)}") from error


def first_fault(error: ValidationError, fields: Iterable[str]) -> str:
    """Words the first of what is wrong, in one line.

    Args:
        error: As pydantic tells it.
        fields: The keys that could stand where an unknown one does.
    """
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        return f"unknown key '{where}': {suggest(place[-1], set(fields) - {NAME})}"
    if first["type"] == "missing":
        return f"{where} is missing"
    return f"{where} is {reprlib.repr(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"
