"""What was called otherwise before.

Checkpoints from then still load. So do configs where a room has moved; of a changed name they are told the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MOVED = {
    "experiments.runs.callbacks.": "experiments.callbacks.",
    "experiments.runs.loggers.": "experiments.loggers.",
    "experiments.runs.metrics.": "experiments.metrics.",
    "datamodules.features.": "datamodules.corpora.features.",
    "datamodules.held_out.": "datamodules.corpora.held_out.",
    "datamodules.parallel.": "datamodules.corpora.parallel.",
    "datamodules.piece_dropout.": "datamodules.corpora.piece_dropout.",
    "lightning_modules.layers.aligned_attention.": "lightning_modules.layers.attention.",
    "lightning_modules.layers.bag_of_words.": "lightning_modules.layers.encoder.",
    "lightning_modules.layers.encoder_with_embeddings.": "lightning_modules.layers.encoder.",
    "lightning_modules.layers.fixed_context.": "lightning_modules.layers.decoder.",
    "lightning_modules.layers.local_attention.": "lightning_modules.layers.attention.",
    "lightning_modules.layers.positions.": "lightning_modules.layers.transformer.positions.",
    "lightning_modules.layers.stateful_attention.": "lightning_modules.layers.attention.",
    "lightning_modules.layers.transformer_decoder.": "lightning_modules.layers.transformer.decoder.",
    "lightning_modules.layers.transformer_encoder.": "lightning_modules.layers.transformer.encoder.",
}
"""Rooms whose classes kept their names: the beginnings of their class paths."""

CLASS_PATHS = {
    "experiments.runs.callbacks.MetricsCutBack": "experiments.callbacks.TruncateMetrics",
    "lightning_modules.encoder_decoder.EncoderDecoder": "lightning_modules.token_encoder_decoder.TokenEncoderDecoder",
    "lightning_modules.feeding.ParallelScheduledSampling": "lightning_modules.forcing.ParallelScheduledSampling",
    "lightning_modules.feeding.ScheduledSampling": "lightning_modules.forcing.ScheduledSampling",
}
"""Classes that configs and checkpoints name."""

OWN_FOR_LIGHTNINGS = {
    "MLFlowLogger": "experiments.loggers.RunMLFlowLogger",
    "TensorBoardLogger": "experiments.loggers.RunTensorBoardLogger",
}
"""Names of Lightning's parts that stand for seqlab's own of that kind; Lightning's have their class paths."""

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
    new = {key: value if key == _WEIGHTS else _replaced(value, _renamed) for key, value in checkpoint.items()}
    model, weights = new.get(_MODEL), new.get(_WEIGHTS)
    if isinstance(model, dict) and isinstance(path := model.get("_class_path"), str) and path in WEIGHTS:
        new[_MODEL] = {MODEL_ARGUMENTS.get(name, name): value for name, value in model.items()}
        if isinstance(weights, Mapping):
            renamed = WEIGHTS[path]
            new[_WEIGHTS] = {_weight(name, renamed): value for name, value in weights.items()}
    return new


def moved(value: Any) -> Any:  # noqa: ANN401 - whatever a config holds
    """A value of a config, with the class paths in it that begin as one of :data:`MOVED` by their places of today.

    Args:
        value: As it was given.
    """
    return _replaced(value, moved_path)


def moved_path(path: str) -> str:
    """Where the class of a class path is today; a class of another name today keeps its path, for the error to tell.

    A name of :data:`OWN_FOR_LIGHTNINGS` becomes the class path that it stands for.

    Args:
        path: The class path; any other text stays as it is.
    """
    if path in OWN_FOR_LIGHTNINGS:
        return OWN_FOR_LIGHTNINGS[path]
    if path not in CLASS_PATHS:
        for before, now in MOVED.items():
            if path.startswith(before):
                return now + path.removeprefix(before)
    return path


def _renamed(path: str) -> str:
    return CLASS_PATHS.get(path, moved_path(path))


def _replaced(value: Any, replace: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever a checkpoint or config holds
    if isinstance(value, dict):
        return {key: _replaced(entry, replace) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(entry, replace) for entry in value)
    return replace(value) if isinstance(value, str) else value


def _weight(name: object, renamed: Mapping[str, str]) -> object:
    if isinstance(name, str):
        for old, new in renamed.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
    return name
