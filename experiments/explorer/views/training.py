"""One sentence through a training: how the alignment sharpens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from datamodules.batch import EOS
from experiments.explorer.look import Look
from experiments.explorer.numbers import numbers
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Ticket
from experiments.figures.temperature import entropy_of
from lightning_modules.decoding.trace import trace


@torch.inference_mode()
def epoch(view: TranslationView, asked: Look, ids: Sequence[int], ticket: Ticket) -> dict[str, Any]:
    """What a checkpoint makes of a sentence, and of a given target of it.

    Args:
        view: The checkpoint.
        asked: The sentence, and how.
        ids: The target, without EOS: the same for all checkpoints, so that their alignments can be compared.
        ticket: Ends the computation when nobody waits for it.

    Returns:
        The best hypothesis as ``text``; of the target its ``log_probability``, what it attends to as ``mean`` over the
        heads, and the mean ``entropy`` of its rows in nats; the last two None without an attention.
    """
    found = view.find(asked, ticket)
    seen = trace(found.model, found.sentence.source, ids)
    chosen = seen.log_probabilities.gather(1, torch.tensor([*ids, EOS], device=seen.log_probabilities.device)[:, None])
    mean = seen.weights.mean(dim=0) if len(seen.weights) else None
    return {
        "text": view.translator.text(found.hypotheses[0], asked.source),
        "log_probability": numbers(chosen.sum()),
        "mean": None if mean is None else numbers(mean, 4),
        "entropy": None if mean is None else numbers(float(entropy_of(mean.double().cpu().numpy()).mean()), 4),
    }
