"""A beam search as a tree of its candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from datamodules.batch import EOS
from experiments.explorer.numbers import numbers
from lightning_modules.decoding.beam import BeamSearch, BeamStep

Pieces = Callable[[Sequence[int]], list[str]]


def beam_tree(steps: Sequence[BeamStep], search: BeamSearch, pieces: Pieces) -> list[dict[str, Any]]:
    """The levels of the tree, one for each step of the search of one sentence.

    Args:
        steps: From a recorded search.
        search: Its settings.
        pieces: Writes ids.

    Returns:
        For each level its ``nodes``, the best first: ``parent``, which of the level before it continues (None at
        first); ``token``, ``piece``; ``log_probability`` of the whole prefix, ``own`` of the token; ``fate``, one of
        ``kept``, ``ended`` (a hypothesis, with its ``score``), ``cut`` (worse than those that are kept) and ``late``
        (ended, but not among the best ``beam_size``); and the ``bound``, what an open prefix can still score, with
        ``goes_on``.
    """
    levels: list[dict[str, Any]] = []
    parents: list[int | None] = [None]
    totals = [0.0]
    for length, step in enumerate(steps):
        there = np.isfinite(step.totals[0]).nonzero()[0]
        kept = [place for place in step.kept[0] if np.isfinite(step.totals[0][place]) and step.tokens[0][place] != EOS]
        nodes = [
            _node(step, place, parents[step.rows[0][place]], totals[step.rows[0][place]], place in kept)
            for place in there
        ]
        for node, piece in zip(nodes, pieces([node["token"] for node in nodes]), strict=True):
            node["piece"] = piece
            node["normalised"] = numbers(node["log_probability"] / ((6 + length) / 6) ** search.length_penalty)
        levels.append({"nodes": nodes, "bound": numbers(step.bounds[0].item()), "goes_on": bool(step.goes_on[0])})
        parents = [int(place) for place in step.kept[0]]
        totals = [float(step.totals[0][place]) for place in step.kept[0]]
    return levels


def _node(step: BeamStep, place: int, parent: int | None, before: float, kept: bool) -> dict[str, Any]:
    total, token = float(step.totals[0][place]), int(step.tokens[0][place])
    score = float(step.scores[0][place]) if place < step.scores.shape[1] else -math.inf
    ended = "ended" if math.isfinite(score) else "late"
    return {
        "parent": parent,
        "token": token,
        "log_probability": numbers(total),
        "own": numbers(total - before),
        "fate": ended if token == EOS else "kept" if kept else "cut",
        "score": numbers(score),
    }


def greedy_tree(
    log_probabilities: Tensor, ids: Sequence[int], search: BeamSearch, pieces: Pieces
) -> list[dict[str, Any]]:
    """The same of greedy search: at each step the token that was taken, and the next best one.

    Args:
        log_probabilities: ``(t, vocabulary)``, of the hypothesis that was found.
        ids: Its ids, without EOS.
        search: Its settings.
        pieces: Writes ids.
    """
    levels = []
    total, parent = 0.0, None
    for length, (row, taken) in enumerate(zip(log_probabilities, [*ids, EOS], strict=True)):
        nodes = list(_two_best(row, taken, total, parent))
        for node, piece in zip(nodes, pieces([node["token"] for node in nodes]), strict=True):
            node["piece"] = piece
            node["normalised"] = numbers(node["log_probability"] / ((6 + length) / 6) ** search.length_penalty)
            node["score"] = node["normalised"] if node["fate"] == "ended" else None
        parent = next(place for place, node in enumerate(nodes) if node["fate"] in ("kept", "ended"))
        total += float(row[taken])
        levels.append({"nodes": nodes, "bound": None, "goes_on": taken != EOS})
    return levels


def _two_best(row: Tensor, taken: int, total: float, parent: int | None) -> Iterator[dict[str, Any]]:
    others = [token for token in row.topk(min(2, len(row))).indices.tolist() if token != taken][:1]
    for token in [taken, *others]:
        own = float(row[token])
        fate = "cut" if token != taken else "ended" if token == EOS else "kept"
        yield {
            "parent": parent,
            "token": token,
            "log_probability": numbers(total + own),
            "own": numbers(own),
            "fate": fate,
        }
