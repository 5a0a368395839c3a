"""A shortlist on disk, which belongs to two vocabularies."""

from __future__ import annotations

import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from datamodules.errors import UserError
from experiments.checkpoints.translator import Translator
from lightning_modules.decoding.shortlist import Shortlist


def write_shortlist(file: BinaryIO, shortlist: Shortlist, translator: Translator) -> None:
    """Writes a shortlist, as NumPy's arrays.

    Args:
        file: Gets it.
        shortlist: What is written.
        translator: Whose ids they are.
    """
    np.savez_compressed(file, vocabularies=_vocabularies(translator), **asdict(shortlist))


def read_shortlist(path: Path, translator: Translator) -> Shortlist:
    """Reads a shortlist.

    Args:
        path: From :func:`write_shortlist`.
        translator: Whose ids it has to be of.

    Raises:
        UserError: It cannot be read, or is of other vocabularies.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            vocabularies, *arrays = (found[name] for name in ("vocabularies", "offsets", "targets", "frequent"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: make it with seqlab shortlist") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no shortlist of seqlab shortlist, or damaged") from error
    if vocabularies.tolist() != _vocabularies(translator):
        raise UserError(f"{path} is of other vocabularies than the checkpoint: make one for it with seqlab shortlist")
    return Shortlist(*arrays)


def _vocabularies(translator: Translator) -> list[str]:
    return [each.fingerprint() for each in (translator.source_tokenizer, translator.target_tokenizer)]
