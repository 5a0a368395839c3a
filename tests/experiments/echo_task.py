"""A model that answers with its source, and its data: as small as a run with hypotheses can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.batch import EOS, Padded, SequenceBatch, Split
from datamodules.corpora.spelling import Spelling
from datamodules.tokenizers import WhitespaceTokenizer
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search

SOURCES = ["a b c d e", "b c d e a", "c d", "d e a b c e", "e a b c d a"]
REFERENCES = ["a b c d e", "b c d e d", "e e", "d e a b c e", "e a b c d b"]


class EchoModel(L.LightningModule):
    """Its hypothesis is the source, read from left to right: the attention of token i lies on source token i."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.val_search: Search = GreedySearch()

    def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
        found = []
        for ids, length in zip(source.values.tolist(), source.lengths.tolist(), strict=True):
            heads = torch.eye(length, source.values.shape[1])[None] if with_attention else None
            found.append([Hypothesis(ids[: length - 1], -0.5 * length, -1.0 * length, heads)])
        return found

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        loss = self.weight.square().sum()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        self.log("val/loss", self.weight.detach().sum(), batch_size=len(batch))
        return self.predict_step(batch, batch_idx)

    def test_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        return self.predict_step(batch, batch_idx)

    def predict_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        return [found[0] for found in self.translate(batch.source, self.val_search)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class EchoData(L.LightningDataModule):
    """Five sentences, evaluated in another order than the corpus's, each rank its share."""

    def __init__(self, sources: Sequence[str] = SOURCES, references: Sequence[str] = REFERENCES) -> None:
        super().__init__()
        self.texts = (list(sources), list(references))
        self.source_tokenizer = self.target_tokenizer = WhitespaceTokenizer()
        self.source_tokenizer.train([*sources, *references])

    def sources(self, split: Split) -> Sequence[str]:
        return self.texts[0]

    def references(self, split: Split) -> Sequence[str]:
        return self.texts[1]

    def spellings(self, source: str) -> tuple[Spelling, Spelling]:
        return self.source_tokenizer, self.target_tokenizer

    def loader(self, order: Sequence[int], batch_size: int) -> DataLoader[SequenceBatch]:
        encode = self.source_tokenizer.encode
        batches = [
            SequenceBatch.from_pairs(
                [encode(self.texts[0][i]) for i in part], [encode(self.texts[1][i]) for i in part], torch.tensor(part)
            )
            for part in (order[start : start + batch_size] for start in range(0, len(order), batch_size))
        ]
        return DataLoader(batches, batch_size=None)

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        return self.loader([0, 1, 2, 3], batch_size=1)

    def val_dataloader(self) -> DataLoader[SequenceBatch]:
        assert self.trainer is not None
        order = [3, 1, 4, 0, 2][self.trainer.global_rank :: self.trainer.world_size]
        return self.loader(order, batch_size=3)

    test_dataloader = val_dataloader
    predict_dataloader = val_dataloader


def make_trainer(run: Path, **options: Any) -> L.Trainer:  # noqa: ANN401 - what a Trainer takes
    """A quiet trainer on the CPU, whose run directory is ``run``."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "log_every_n_steps": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "default_root_dir": run,
    }
    return L.Trainer(**(defaults | options))


def source_ids(data: EchoData, sentence: str) -> list[int]:
    """A sentence as the model sees it."""
    return [*data.source_tokenizer.encode(sentence), EOS]
