"""Prepares a corpus, or trains on it, in a process of its own (``python -m``), and tells what that takes."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch

from datamodules.corpora.corpus import TextFiles
from datamodules.errors import RunFailed, UserError
from datamodules.translation import TranslationDataModule
from experiments.benchmarks.data import data_module
from experiments.benchmarks.growth import WARM_UP_STEPS, recipe_model
from experiments.benchmarks.peers import recipe

STATUS = Path("/proc/self/status")

KIBIBYTES_IN_MIB = 1024


def prepare(data: TranslationDataModule) -> dict[str, float]:
    """Encodes the corpus into an empty cache.

    Args:
        data: The corpus's data module, with a tokenizer.
    """
    start = time.perf_counter()
    data.train_dataloader()
    return {"prepare_seconds": time.perf_counter() - start}


def load(data: TranslationDataModule, batches: int) -> dict[str, float]:
    """Opens the prepared corpus and loads batches of it.

    The private memory before is that of a process that has imported everything, has a tokenizer, and knows no corpus
    yet; the one after includes the plan of an epoch. The second start ends with the first batch, and loading is timed
    from there.

    Args:
        data: The corpus's data module, with a tokenizer.
        batches: How many; fewer where an epoch has fewer.
    """
    before = private_memory()
    start = time.perf_counter()
    loader = iter(data.train_dataloader())
    next(loader)
    begun = time.perf_counter()
    tokens = loaded = 0
    for batch in islice(loader, batches):
        tokens += int(batch.token_count)
        loaded += 1
    seconds = time.perf_counter() - begun
    return {
        "second_start_seconds": begun - start,
        "batches_per_second": loaded / seconds,
        "target_tokens_per_second": tokens / seconds,
        **({} if before is None else {"private_memory_before_mib": before}),
        **({} if (after := private_memory()) is None else {"private_memory_after_mib": after}),
    }


def train(data: TranslationDataModule, steps: int) -> dict[str, float]:
    """Trains the model of :func:`experiments.benchmarks.growth.recipe_model` on batches of the prepared corpus.

    Args:
        data: The corpus's data module, with a tokenizer.
        steps: Updates that are timed, after some that are not; fewer where an epoch has fewer batches.

    Returns:
        Target tokens per second; nothing where no batch was left to be timed.
    """
    torch.manual_seed(recipe.SEED)
    model = recipe_model(torch.device("cpu"), vocabulary_size=data.target_vocabulary_size)
    optimizer = torch.optim.Adam(model.parameters())
    loader = iter(data.train_dataloader())

    def trained(batches: int) -> int:
        tokens = 0
        for batch in islice(loader, batches):
            loss, _, count = model.loss(batch)
            (loss / count).backward()
            optimizer.step()
            optimizer.zero_grad()
            tokens += count
        return tokens

    trained(WARM_UP_STEPS)
    begun = time.perf_counter()
    tokens = trained(steps)
    seconds = time.perf_counter() - begun
    return {"trained_tokens_per_second": tokens / seconds} if tokens else {}


def private_memory() -> float | None:
    """MiB of memory that is the process's own, no file's; None where the system does not tell."""
    if not STATUS.exists():
        return None
    gc.collect()
    lines = (line.partition(":") for line in STATUS.read_text().splitlines())
    fields: Mapping[str, str] = {name: value for name, _, value in lines}
    return int(fields["RssAnon"].split()[0]) / KIBIBYTES_IN_MIB if "RssAnon" in fields else None


def probe(words: Sequence[str]) -> dict[str, float]:
    """Prepares, or loads and trains.

    Args:
        words: What to do, and with what: see :meth:`experiments.benchmarks.data.DataBenchmark.measure`.

    Returns:
        The quantities.

    Raises:
        UserError: The corpus is not there, or cannot be read.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("prepare", "load"))
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("cache", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("vocabulary_size", type=int)
    parser.add_argument("batch_size", type=int)
    parser.add_argument("batches", type=int)
    parser.add_argument("steps", type=int)
    given = parser.parse_args(words)
    text = TextFiles(given.source, given.target)
    data = data_module(text, given.vocabulary_size, given.batch_size, given.cache)
    data.load_state_dict(torch.load(given.tokenizer, weights_only=True))
    if given.what == "prepare":
        return prepare(data)
    return {**load(data, given.batches), **train(data, given.steps)}


def main() -> int:
    """Prints the quantities as JSON; what is wrong goes to stderr in one line."""
    try:
        print(json.dumps(probe(sys.argv[1:])))
    except (UserError, RunFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
