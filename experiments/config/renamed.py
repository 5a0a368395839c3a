"""What was called otherwise before: checkpoints from then still load, and a config is told the new name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLASS_PATHS = {
    "lightning_modules.encoder_decoder.EncoderDecoder": "lightning_modules.token_encoder_decoder.TokenEncoderDecoder",
    "lightning_modules.feeding.ParallelScheduledSampling": "lightning_modules.forcing.ParallelScheduledSampling",
    "lightning_modules.feeding.ScheduledSampling": "lightning_modules.forcing.ScheduledSampling",
}
"""Classes that configs and checkpoints name."""

MODEL_ARGUMENTS = {"feeding": "forcing"}
"""Arguments of models."""

REPLACED_OPTIONS = {
    **MODEL_ARGUMENTS,
    **dict.fromkeys(("bleu", "chrf", "exact_match"), "metrics"),
}
"""Options that a config may still have, and what says the same now."""

WEIGHTS = {
    "narrow.": "to_embedding.",
    "source_input.": "source_embedding.",
    "target_input.": "target_embedding.",
}
"""The beginnings of names of weights."""

_MODEL = "hyper_parameters"


def renewed(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint by today's names; one that has them already is as it was.

    Args:
        checkpoint: As loaded, of any age.
    """
    new: dict[str, Any] = {key: _with_class_paths(value) for key, value in checkpoint.items() if key != "state_dict"}
    if isinstance(model := new.get(_MODEL), dict):
        new[_MODEL] = {MODEL_ARGUMENTS.get(name, name): value for name, value in model.items()}
    if "state_dict" in checkpoint:
        weights = checkpoint["state_dict"]
        is_plain = isinstance(weights, Mapping)
        new["state_dict"] = {_weight(name): value for name, value in weights.items()} if is_plain else weights
    return new


def _with_class_paths(value: Any) -> Any:  # noqa: ANN401 - whatever a checkpoint holds
    if isinstance(value, dict):
        return {key: _with_class_paths(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_class_paths(entry) for entry in value)
    return CLASS_PATHS.get(value, value) if isinstance(value, str) else value


def _weight(name: object) -> object:
    if isinstance(name, str):
        for old, new in WEIGHTS.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
    return name
