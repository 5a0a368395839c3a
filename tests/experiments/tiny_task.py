"""A task small enough to be learned in seconds: words of one language to those of another, in reversed order."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

WORDS = {"eins": "un", "zwei": "deux", "drei": "trois", "vier": "quatre", "fünf": "cinq", "sechs": "six"}

CONFIG = """\
experiment: tiny
model:
  class_path: lightning_modules.nmt.AttentionNMT
  init_args:
    encoder:
      class_path: lightning_modules.layers.encoder.RecurrentEncoder
      init_args: {{cell: gru, hidden_size: 48}}
    decoder:
      class_path: lightning_modules.layers.decoder.LuongDecoder
      init_args: {{cell: gru, hidden_size: 64, input_feeding: false, dropout: 0.1}}
    embedding_size: 24
    optimizer:
      class_path: torch.optim.Adam
      init_args: {{lr: 0.006}}
    scheduler:
      class_path: lightning_modules.schedules.WarmupSchedule
      init_args: {{warmup_steps: 40}}
data:
  class_path: datamodules.translation.TranslationDataModule
  init_args:
    train: {{source: {folder}/train.de, target: {folder}/train.fr}}
    val: {{source: {folder}/val.de, target: {folder}/val.fr}}
    test: {{tsv: {folder}/test.tsv}}
    tokenizer: datamodules.tokenizers.WhitespaceTokenizer
    target_tokenizer: datamodules.tokenizers.WhitespaceTokenizer
    batch_size: 32
trainer:
  accelerator: cpu
  max_epochs: 13
  log_every_n_steps: 5
  gradient_clip_val: 1.0
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: {folder}/runs
  callbacks:
    - class_path: experiments.callbacks.TextMetrics
    - class_path: experiments.callbacks.PredictionWriter
    - class_path: experiments.callbacks.TranslationTable
    - class_path: experiments.callbacks.AlignmentFigures
      init_args: {{sentences: 1}}
    - class_path: lightning.pytorch.callbacks.ModelCheckpoint
      init_args: {{filename: best, monitor: val/bleu, mode: max, save_last: true, enable_version_counter: false}}
"""


EXACT_MATCH = [
    {"class_path": "experiments.callbacks.TextMetrics", "init_args": {"metrics": ["ExactMatch"]}},
    {
        "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
        "init_args": {
            "filename": "best",
            "monitor": "val/exact_match",
            "mode": "max",
            "save_last": True,
            "enable_version_counter": False,
        },
    },
]
"""Callbacks of a task whose translations are right or wrong."""


def translate(sentence: str, words: Mapping[str, str] = WORDS) -> str:
    """The right translation of a sentence."""
    return " ".join(words[word] for word in reversed(sentence.split()))


def write_tiny_task(
    folder: Path,
    seed: int,
    train_size: int = 900,
    words: Sequence[str] = tuple(WORDS),
    new_words: Mapping[str, str] | None = None,
) -> Path:
    """Writes corpora, and a config that trains on them.

    Args:
        folder: Where.
        seed: Seed of the sentences.
        train_size: Training pairs.
        words: The source words that the sentences have.
        new_words: More of them, with their translations, in the training pairs alone.

    Returns:
        The config's path.
    """
    generator = random.Random(seed)
    translations = WORDS | dict(new_words or {})
    for split, size in (("train", train_size), ("val", 40), ("test", 50)):
        choice = [*words, *(new_words or {})] if split == "train" else list(words)
        sources = [" ".join(generator.choices(choice, k=generator.randint(1, 6))) for _ in range(size)]
        targets = [translate(source, translations) for source in sources]
        if split == "test":
            rows = "".join(f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True))
            (folder / "test.tsv").write_text(rows, encoding="utf-8")
        else:
            (folder / f"{split}.de").write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
            (folder / f"{split}.fr").write_text("".join(f"{target}\n" for target in targets), encoding="utf-8")
    config = folder / "tiny.yaml"
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    return config


def write_changed_config(folder: Path, experiment: str, changes: Mapping[str, object]) -> Path:
    """Writes the config of the tiny task with other data or parts, and with no schedule of the learning rate.

    Args:
        folder: Where.
        experiment: Name of the experiment, and of the file.
        changes: By dotted key, what stands there in place of what the tiny task has.

    Returns:
        The config's path.
    """
    content = yaml.safe_load(CONFIG.format(folder=folder))
    unscheduled: dict[str, object] = {"experiment": experiment, "model.init_args.scheduler": None}
    for key, value in (unscheduled | dict(changes)).items():
        *outer, last = key.split(".")
        node = content
        for name in outer:
            node = node[name]
        node[last] = value
    config = folder / f"{experiment}.yaml"
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return config
