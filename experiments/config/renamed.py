"""What was called otherwise before: checkpoints from then still load, and a config is told the new name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLASS_PATHS = {
    "experiments.runs.callbacks.MetricsCutBack": "experiments.runs.callbacks.TruncateMetrics",
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

_OF_TOKENS = {"narrow.": "to_embedding."}
_OF_VECTORS = {"source_input.": "source_embedding.", "target_input.": "target_embedding."}

WEIGHTS = {
    "lightning_modules.nmt.AttentionNMT": _OF_TOKENS,
    "lightning_modules.seq2seq.Seq2Seq": _OF_TOKENS,
    "lightning_modules.token_encoder_decoder.TokenEncoderDecoder": _OF_TOKENS,
    "lightning_modules.vector_seq2seq.VectorSeq2Seq": _OF_VECTORS,
}
"""The beginnings of names of weights, for each model whose weights and arguments were renamed. A model of one's own may
have such names, and keeps them."""

_MODEL = "hyper_parameters"
_WEIGHTS = "state_dict"


def renewed(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint by today's names; one that has them already is as it was.

    Args:
        checkpoint: As loaded, of any age.
    """
    new = {key: value if key == _WEIGHTS else _with_class_paths(value) for key, value in checkpoint.items()}
    model, weights = new.get(_MODEL), new.get(_WEIGHTS)
    if isinstance(model, dict) and isinstance(path := model.get("_class_path"), str) and path in WEIGHTS:
        new[_MODEL] = {MODEL_ARGUMENTS.get(name, name): value for name, value in model.items()}
        if isinstance(weights, Mapping):
            renamed = WEIGHTS[path]
            new[_WEIGHTS] = {_weight(name, renamed): value for name, value in weights.items()}
    return new


def _with_class_paths(value: Any) -> Any:  # noqa: ANN401 - whatever a checkpoint holds
    if isinstance(value, dict):
        return {key: _with_class_paths(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_class_paths(entry) for entry in value)
    return CLASS_PATHS.get(value, value) if isinstance(value, str) else value


def _weight(name: object, renamed: Mapping[str, str]) -> object:
    if isinstance(name, str):
        for old, new in renamed.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
    return name
