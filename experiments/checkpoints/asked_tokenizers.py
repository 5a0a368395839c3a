"""Whether the tokenizers that a config asks for are those of the checkpoint that a training begins with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from datamodules.corpora.parallel import ParallelDataModule
from datamodules.corpora.vocabularies import is_joint
from datamodules.errors import UserError
from datamodules.hyperparameters import described_value
from datamodules.tokenizers import Tokenizer, class_path


def check_asked_for(data: ParallelDataModule, origin: str) -> None:
    """Refuses tokenizers that would be ignored: the checkpoint's are used. A default of the data asks for nothing.

    Args:
        data: With the checkpoint's tokenizers.
        origin: The option and the path that name the checkpoint.

    Raises:
        UserError: The config asks for others.
    """
    difference = next(_differences(data), None)
    if difference is not None:
        name, asked, used = difference
        raise UserError(
            f"data.init_args.{name} is {asked}, but {origin} brings {used}, which its weights need: give that, or "
            "begin without --init_from"
        )


def _differences(data: ParallelDataModule) -> Iterator[tuple[str, str, str]]:
    """The arguments that a config gives and that would be ignored, with what would be used."""
    source, target = data.source_tokenizer, data.target_tokenizer
    asked_source, asked_target = data.wanted_tokenizers
    if _words(asked_source) != _words(source) and _is_given(data, "tokenizer"):
        yield "tokenizer", _words(asked_source), _words(source)
    if asked_target is None or not _is_given(data, "target_tokenizer"):
        return
    if target is source:
        yield "target_tokenizer", _words(asked_target), f"one tokenizer for both sides, {_words(source)} (null)"
    elif _words(asked_target) != _words(target):
        yield "target_tokenizer", _words(asked_target), _words(target)
    if data.hparams.get("joint_vocabulary") and not is_joint(source, target):
        yield "joint_vocabulary", "true", "a vocabulary for each side (false)"


def _is_given(data: ParallelDataModule, name: str) -> bool:
    """Whether an argument of the data module's is there and is not its default."""
    parameter = inspect.signature(type(data)).parameters.get(name)
    if parameter is None:
        return False
    default = parameter.default
    return default is inspect.Parameter.empty or data.hparams.get(name) != described_value(default, name)


def _words(tokenizer: Tokenizer) -> str:
    """Class and settings."""
    settings = ", ".join(f"{name}: {value}" for name, value in tokenizer.settings().items())
    return f"{class_path(tokenizer)} {{{settings}}}"
