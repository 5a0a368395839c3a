"""A checkpoint as a run writes it, of a tiny, untrained model between two character tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from datamodules.batch import EOS, SPECIAL_PIECES
from datamodules.tokenizers import CharacterTokenizer
from lightning_modules.layers import attention as attentions
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.nmt import AttentionNMT

SOURCE_CHARACTERS = "abcdefgh ü"
TARGET_CHARACTERS = "ABCDEFGH Ü"
LENGTH_LIMIT = 12


def tiny_checkpoint(seed: int = 0, step: int = 100, attention: str = "GeneralAttention") -> dict[str, Any]:
    """What ``Trainer.save_checkpoint`` dumps, as far as the project reads it."""
    source, target = CharacterTokenizer(), CharacterTokenizer()
    source.train([SOURCE_CHARACTERS])
    target.train([TARGET_CHARACTERS])
    hyperparameters = {
        "_class_path": "lightning_modules.nmt.AttentionNMT",
        "_instantiator": "lightning.pytorch.cli.instantiate_module",
        "source_vocabulary_size": len(SPECIAL_PIECES) + len(SOURCE_CHARACTERS),
        "target_vocabulary_size": len(SPECIAL_PIECES) + len(TARGET_CHARACTERS),
        "encoder": {
            "class_path": "lightning_modules.layers.encoder.RecurrentEncoder",
            "init_args": {"hidden_size": 4, "cell": "gru"},
        },
        "decoder": {
            "class_path": "lightning_modules.layers.decoder.LuongDecoder",
            "init_args": {
                "hidden_size": 6,
                "cell": "gru",
                "attention": {"class_path": f"lightning_modules.layers.attention.{attention}"},
            },
        },
        "embedding_size": 5,
        "tied": "none",
        "test_search": {
            "class_path": "lightning_modules.decoding.beam.BeamSearch",
            "init_args": {"max_length": LENGTH_LIMIT},
        },
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01, "betas": [0.9, 0.999]}},
    }
    return {
        "pytorch-lightning_version": "2.6.6",
        "epoch": 1,
        "global_step": step,
        "state_dict": _weights(seed, attention),
        "hyper_parameters": hyperparameters,
        "datamodule_hyper_parameters": {
            "_class_path": "datamodules.translation.TranslationDataModule",
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
            "train": {"source": "data/train.en", "target": "train.de"},
            "test": None,
            "tokenizer": {"class_path": "datamodules.tokenizers.CharacterTokenizer"},
        },
        "TranslationDataModule": {"source_tokenizer": source.describe(), "target_tokenizer": target.describe()},
    }


def write(path: Path, checkpoint: object) -> Path:
    """Saves anything with torch, and gives the path back."""
    torch.save(checkpoint, path)
    return path


def _weights(seed: int, attention: str) -> dict[str, torch.Tensor]:
    """Weights that translate different sources to different, longer targets."""
    model = AttentionNMT(
        len(SPECIAL_PIECES) + len(SOURCE_CHARACTERS),
        len(SPECIAL_PIECES) + len(TARGET_CHARACTERS),
        encoder=lambda size: RecurrentEncoder(size, cell="gru", hidden_size=4),
        decoder=lambda size, memory: LuongDecoder(
            size, memory, attention=getattr(attentions, attention), cell="gru", hidden_size=6
        ),
        embedding_size=5,
    )
    generator = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(weight.shape, generator=generator) for name, weight in model.state_dict().items()}
    weights["output.bias"][EOS] -= 4.0
    return weights
