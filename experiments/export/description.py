"""What is needed to use graphs without seqlab: ids, vocabularies, limits, names and shapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from datamodules.batch import BOS, EOS, PAD, UNK
from datamodules.tokenizers import Tokenizer, class_path
from experiments.checkpoints.translator import Translator
from experiments.export.graphs import Graph, Graphs
from lightning_modules.decoding.length_limits import (
    FURTHER_TOKENS,
    LONGER_RATIOS,
    LONGER_TARGETS,
    UNKNOWN_LONGEST,
    UNKNOWN_RATIO,
)
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

DESCRIPTION = "model.json"


def write_tokenizer(tokenizer: Tokenizer, side: str, folder: Path) -> dict[str, object]:
    """Writes a vocabulary, and what else a tokenizer is made of.

    Args:
        tokenizer: The tokenizer.
        side: ``source`` or ``target``, which the files' names begin with.
        folder: Where.

    Returns:
        What :data:`DESCRIPTION` says of it: ``class``, ``settings``, ``vocabulary``, the file with one string for each
        id, and for each file of its trained state that is bytes its name, as ``model`` of SentencePiece.
    """
    pieces = tokenizer.pieces(range(tokenizer.vocabulary_size))
    vocabulary = f"{side}_vocabulary.json"
    (folder / vocabulary).write_text(json.dumps(pieces, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    described: dict[str, object] = {
        "class": class_path(tokenizer),
        "settings": tokenizer.settings(),
        "vocabulary": vocabulary,
    }
    for name, state in tokenizer.trained_state().items():
        if isinstance(state, bytes):
            (folder / f"{side}.{name}").write_bytes(state)
            described[name] = f"{side}.{name}"
    return described


def length_limit(model: TokenEncoderDecoder) -> dict[str, float]:
    """The most tokens of a hypothesis as a formula: ``int(ratio * source_tokens) + further``, in least to most.

    The source's EOS counts, that of the hypothesis does not. It is what the model's own test allows.

    Args:
        model: The model.
    """
    search = model.test_search
    if search.max_ratio is not None:
        most = {} if search.max_length is None else {"most": search.max_length}
        return {"ratio": search.max_ratio, "further": FURTHER_TOKENS, "least": 0, **most}
    if search.max_length is not None:
        return {"ratio": 0, "further": search.max_length, "least": 0}
    if model.longest_target is None or model.longest_ratio is None:
        return {"ratio": UNKNOWN_RATIO, "further": FURTHER_TOKENS, "least": UNKNOWN_LONGEST}
    most_tokens = int(LONGER_TARGETS * model.longest_target) + FURTHER_TOKENS
    ratio = LONGER_RATIOS * model.longest_ratio
    return {"ratio": ratio, "further": FURTHER_TOKENS, "least": 0, "most": most_tokens}


def describe(
    translator: Translator,
    graphs: Graphs,
    files: Sequence[str],
    tokenizers: tuple[dict[str, object], ...],
    difference: float,
) -> dict[str, Any]:
    """What :data:`DESCRIPTION` holds.

    Args:
        translator: Of the checkpoint.
        graphs: What was written.
        files: Names of the files of encoder and step.
        tokenizers: Of source and target, from :func:`write_tokenizer`.
        difference: The greatest difference to seqlab's log-probabilities that was seen.
    """
    model = translator.members[0]
    source, target = tokenizers
    excerpt = translator.excerpt
    return {
        "seqlab": version("seqlab"),
        "torch": torch.__version__,
        "model": class_path(model),
        "ids": {"pad": PAD, "bos": BOS, "eos": EOS, "unk": UNK},
        "source": source,
        "target": target,
        "excerpt": None if excerpt is None else {"class": class_path(excerpt), "settings": dict(excerpt.settings())},
        "copies_unknown": graphs.copies_unknown,
        "longest_source": model.longest_source,
        "length_limit": length_limit(model),
        "encoder": {"file": files[0], **_ports(graphs.encoder)},
        "step": {"file": files[1], **_ports(graphs.step)},
        "memory": list(graphs.memory),
        "state": list(graphs.state),
        "greatest_difference": difference,
    }


def _ports(graph: Graph) -> dict[str, object]:
    return {
        kind: [{"name": port.name, "type": port.dtype, "shape": list(port.shape)} for port in ports]
        for kind, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
