"""What is trained and killed: a tiny translation with every kind of randomness, and checkpoints every few steps."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from tests.experiments.tiny_task import WORDS, translate

CONFIG = """\
experiment: killed
seed_everything: {seed}
model:
  class_path: lightning_modules.nmt.AttentionNMT
  init_args:
    encoder:
      class_path: lightning_modules.layers.encoder.RecurrentEncoder
      init_args: {{cell: gru, hidden_size: 12}}
    decoder:
      class_path: lightning_modules.layers.decoder.BahdanauDecoder
      init_args: {{cell: gru, hidden_size: 16, dropout: 0.2}}
    embedding_size: 12
    dropout: 0.1
    token_dropout: 0.1
    label_smoothing: 0.1
    forcing:
      class_path: lightning_modules.forcing.ScheduledSampling
      init_args:
        feedback: sample
        schedule: {{class_path: lightning_modules.forcing.Linear, init_args: {{length: 3}}}}
    optimizer: {{class_path: torch.optim.Adam, init_args: {{lr: 0.01}}}}
    scheduler: {{class_path: lightning_modules.schedules.WarmupSchedule, init_args: {{warmup_steps: 8}}}}
data:
  class_path: datamodules.translation.TranslationDataModule
  init_args:
    train: {{source: {folder}/train.de, target: {folder}/train.fr}}
    val: {{source: {folder}/val.de, target: {folder}/val.fr}}
    tokenizer: datamodules.tokenizers.WhitespaceTokenizer
    target_tokenizer: datamodules.tokenizers.WhitespaceTokenizer
    curriculum: {{class_path: datamodules.curriculum.Competence, init_args: {{length: 2, initial: 0.3}}}}
    batch_size: 16
trainer:
  accelerator: cpu
  max_epochs: 4
  val_check_interval: 4
  log_every_n_steps: 1
  gradient_clip_val: 1.0
  enable_progress_bar: false
  enable_model_summary: false
  logger: experiments.loggers.MetricsCSV
  callbacks:
    - class_path: experiments.callbacks.TextMetrics
    - class_path: experiments.callbacks.TranslationTable
      init_args: {{sentences: 2}}
    - class_path: tests.faults.phase.Phase
    - class_path: experiments.callbacks.BestCheckpoint
      init_args: {{monitor: val/bleu, mode: max}}
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args:
        filename: "{{step}}"
        monitor: step
        mode: max
        save_top_k: 3           # the last three
        every_n_train_steps: 3
        save_last: true
"""

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "accumulating": (
        "--trainer.accumulate_grad_batches=2",
        "--trainer.val_check_interval=3",  # every second time between two batches of one step
        "--trainer.callbacks+=lightning.pytorch.callbacks.ModelCheckpoint",
        "--trainer.callbacks.init_args.filename=validated",
        "--trainer.callbacks.init_args.save_last=true",
    ),
    "by steps": (
        "--trainer.max_epochs=-1",
        "--trainer.max_steps=36",
        "--trainer.val_check_interval=1.0",
        "--trainer.check_val_every_n_epoch=2",
        "--trainer.log_every_n_steps=2",
    ),
    "stopped early, workers": (
        "--trainer.max_epochs=30",
        "--trainer.val_check_interval=1.0",
        "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
        "--trainer.callbacks.init_args.monitor=val/loss",
        "--trainer.callbacks.init_args.patience=1",
        "--data.init_args.num_workers=1",
    ),
}
"""Ways to train, by name: options that are added to the config."""


def write_task(folder: Path, seed: int, train_size: int = 160) -> Path:
    """Writes corpora and a config.

    Args:
        folder: Where.
        seed: Seed of the sentences and of the training.
        train_size: Training pairs, in batches of 16.

    Returns:
        The config's path.
    """
    generator = random.Random(seed)
    for split, size in (("train", train_size), ("val", 16)):
        sources = [" ".join(generator.choices(list(WORDS), k=generator.randint(1, 6))) for _ in range(size)]
        (folder / f"{split}.de").write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        (folder / f"{split}.fr").write_text("".join(f"{translate(source)}\n" for source in sources), encoding="utf-8")
    config = folder / "killed.yaml"
    config.write_text(CONFIG.format(folder=folder, seed=seed), encoding="utf-8")
    return config
