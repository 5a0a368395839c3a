"""From checkpoints to a translator: of one, or of several as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from datamodules.errors import UserError
from datamodules.excerpts import Excerpt
from experiments.checkpoints.quantising import is_quantised
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.saved_excerpt import restore_excerpt
from experiments.checkpoints.saved_tokenizers import copies_unknown, restore_tokenizers
from experiments.checkpoints.trained_model import trained_model
from experiments.checkpoints.translator import Translator
from experiments.config.class_paths import DATA_HYPERPARAMETERS
from experiments.storage.layout import find_checkpoint
from lightning_modules.kernels.packed_weights import Precision
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


def load_ensemble(
    paths: Sequence[Path], trusted: Sequence[str] = (), device: str = "auto", precision: Precision | None = None
) -> Translator:
    """Makes one translator of several checkpoints, whose probabilities are averaged at each step.

    Args:
        paths: At least one; each as :func:`load_translator` takes it.
        trusted: Packages whose classes the checkpoints may name, besides the project's own.
        device: As :func:`load_translator` takes it.
        precision: As :func:`load_translator` takes it; if not given, that of the first.

    Raises:
        UserError: There is no checkpoint, one cannot be used alone (see :func:`load_translator`), or two have unlike
            vocabularies, or copy unlike symbols.
    """
    if not paths:
        raise UserError("no checkpoint is given: give at least one")
    first, *others = (load_translator(path, trusted, device, precision) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        for side in ("source", "target"):
            one, another = (getattr(each, f"{side}_tokenizer").fingerprint() for each in (first, other))
            if one != another:
                raise UserError(
                    f"{paths[0]} and {path} have unlike {side} vocabularies: an ensemble needs checkpoints whose "
                    "tokenizers were trained on the same text with the same settings"
                )
        if first.copies_unknown != other.copies_unknown:
            raise UserError(
                f"of {paths[0]} and {path} one copies what the vocabulary lacks, the other does not: an ensemble needs "
                "checkpoints trained with the same data.init_args.copy_unknown"
            )
        if _written(first.excerpt) != _written(other.excerpt):
            raise UserError(
                f"{paths[0]} reads {_written(first.excerpt)} of a source, {path} reads {_written(other.excerpt)}: an "
                "ensemble needs checkpoints trained with the same data.init_args.excerpt"
            )
    members = tuple(member for each in (first, *others) for member in each.members)
    return replace(first, members=members)


def load_translator(
    path: Path, trusted: Sequence[str] = (), device: str = "auto", precision: Precision | None = None
) -> Translator:
    """Makes a translator of a checkpoint alone.

    Args:
        path: A checkpoint, or the directory of a run: then its best one.
        trusted: Packages whose classes the checkpoint may name, besides the project's own.
        device: A device of torch, or ``auto``: CUDA where there is one, else the CPU.
        precision: In what a search makes its large products on the CPU; if not given, int8 for a checkpoint of
            ``seqlab quantise``, else float32.

    Raises:
        UserError: The device does not exist, or is no CPU and the precision another than float32; the checkpoint cannot
            be read (see :func:`experiments.checkpoints.reading.read_checkpoint`), is of another model class, has no
            tokenizers, or its weights do not fit its hyperparameters.
    """
    chosen = choose_device(device)
    if precision not in (None, "float32") and chosen.type != "cpu":
        raise UserError(f"precision {precision} is for the CPU, but the device is {chosen}: leave one of them out")
    path = find_checkpoint(path)
    checkpoint = read_checkpoint(path, trusted, unused=[DATA_HYPERPARAMETERS])
    model = trained_model(
        checkpoint, path, TokenEncoderDecoder, "which does not translate: give one of an encoder-decoder"
    )
    try:
        source_tokenizer, target_tokenizer = restore_tokenizers(checkpoint)
        excerpt = restore_excerpt(checkpoint)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    members = (model.to(chosen).eval(),)
    if precision is None:
        precision = "int8" if is_quantised(checkpoint) and chosen.type == "cpu" else "float32"
    return Translator(members, source_tokenizer, target_tokenizer, copies_unknown(checkpoint), excerpt, precision)


def _written(excerpt: Excerpt | None) -> str:
    """An excerpt in words: its class and settings."""
    return "all" if excerpt is None else f"{type(excerpt).__name__} {dict(excerpt.settings())}"


def choose_device(name: str) -> torch.device:
    """The device that a name means on this machine.

    Args:
        name: A device of torch (``cpu``, ``cuda``, ``cuda:1``, ``mps``), or ``auto``: CUDA where there is one, else
            the CPU.

    Raises:
        UserError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"there is no device {name!r} here: give cpu, cuda, mps or auto") from error
    return device
