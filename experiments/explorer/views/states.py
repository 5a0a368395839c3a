"""Hidden states and gates of the recurrent layers, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.batch import BOS, Padded
from experiments.checkpoints.translator import one_line
from experiments.explorer.look import Look
from experiments.explorer.numbers import numbers
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Ticket
from lightning_modules.decoding.trace import trace
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.layers.gates import StepRecord

DIGITS = 3
"""Behind the point: there are many of them, and they become colours."""


@torch.inference_mode()
def translation_states(view: TranslationView, asked: Look, ticket: Ticket) -> dict[str, Any]:
    """The states of encoder and decoder of the hypothesis that is looked at.

    Args:
        view: Has the model.
        asked: The sentence, and how.
        ticket: Ends the computation when nobody waits for it.

    Returns:
        ``series``: for each direction of each recurrent layer its ``side`` (source or target), ``layer``, ``backward``,
        and ``values``: by name (hidden, cell and the gates) the numbers of each step. ``source`` and ``target``: the
        pieces that were read at the steps.
    """
    found, model = view.find(asked, ticket), view.model(asked)
    source, target = view.translator.spellings(one_line(asked.source))
    kept = [found.sentence.ids[place] for place in found.sentence.read]
    encoded = encoder_states(model.encoder, model.source_embedding, torch.tensor([kept], device=model.device))
    with StepRecord() as record:
        trace(found.model, found.sentence.source, found.chosen.ids)
    decoded = [_told("target", key, values) for key, values in record.series().items()]
    read = [BOS, *found.chosen.ids]
    return {"source": source.pieces(kept), "target": target.pieces(read), "series": [*encoded, *decoded]}


def encoder_states(encoder: nn.Module, embedding: nn.Module, ids: Tensor) -> list[dict[str, Any]]:
    """The states of an encoder; none of one that has no recurrent layers.

    Args:
        encoder: Of any kind.
        embedding: Makes its inputs.
        ids: ``(1, source_len)``, or vectors.
    """
    recurrent = next((part for part in encoder.modules() if isinstance(part, RecurrentEncoder)), None)
    if recurrent is None:
        return []
    source = Padded(ids, torch.tensor([ids.shape[1]]))
    with StepRecord() as record:
        recurrent.stepwise(embedding(source.values), source.lengths)
    return [_told("source", key, values) for key, values in record.series().items()]


def _told(side: str, key: tuple[int, str], values: Mapping[str, Tensor]) -> dict[str, Any]:
    stack, name = key
    layer = int(name.removeprefix("l").removesuffix("_reverse")) + stack
    return {
        "side": side,
        "layer": layer,
        "backward": name.endswith("_reverse"),
        "values": {name: numbers(each[:, 0], DIGITS) for name, each in values.items()},
    }
