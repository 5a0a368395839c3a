"""A checkpoint of an untrained model between SentencePiece tokenizers, wide enough for its weights to be packed."""

from __future__ import annotations

import random
from typing import Any

import torch

from datamodules.batch import EOS
from datamodules.tokenizers import SentencePieceTokenizer
from experiments.config.parts import make_part
from lightning_modules.nmt import AttentionNMT
from tests.experiments.tiny_checkpoint import tiny_checkpoint

VOCABULARY_SIZE = 300


def sentences(count: int, seed: int = 0) -> list[str]:
    """Words of random syllables."""
    generator = random.Random(seed)
    syllables = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]

    def word() -> str:
        return "".join(generator.choices(syllables, k=generator.randint(1, 4)))

    return [" ".join(word() for _ in range(generator.randint(1, 9))) for _ in range(count)]


def pieces_checkpoint() -> dict[str, Any]:
    """What ``Trainer.save_checkpoint`` dumps, as far as the project reads it."""
    tokenizer = SentencePieceTokenizer(VOCABULARY_SIZE)
    tokenizer.train(sentences(800))
    checkpoint = tiny_checkpoint()
    hyperparameters = checkpoint["hyper_parameters"]
    hyperparameters |= {"source_vocabulary_size": VOCABULARY_SIZE, "target_vocabulary_size": VOCABULARY_SIZE}
    hyperparameters["decoder"]["init_args"]["hidden_size"] = 512
    model = make_part(AttentionNMT, {name: value for name, value in hyperparameters.items() if name[0] != "_"})
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: torch.randn(weight.shape, generator=generator) * 0.2 for name, weight in model.state_dict().items()
    }
    weights["output.bias"][EOS] += 2.0
    checkpoint["state_dict"] = weights
    checkpoint["TranslationDataModule"] = {"source_tokenizer": tokenizer.describe(), "target_tokenizer": None}
    return checkpoint
