"""What a search took, and what it had to compute."""

from __future__ import annotations

from pathlib import Path

from datamodules.errors import RunFailed
from experiments.benchmarks.operations import BatchCounts
from experiments.benchmarks.peers import Translation
from experiments.benchmarks.peers.corpus import read_lines
from experiments.runs.translator import Translator


def searching_figures(search: str, alone: Translation, batched: Translation) -> dict[str, float]:
    """The speeds of one search.

    Args:
        search: Its name, which begins that of each figure.
        alone: One sentence at a time.
        batched: In batches.

    Raises:
        RunFailed: A search took too little time for its speed to be told.
    """
    for translation in (alone, batched):
        if translation.search_seconds <= 0:
            raise RunFailed(
                f"{search}: {len(translation.hypotheses)} sentences took too little time for a speed to be told: give "
                "more with --singles or --sentences"
            )
    single = len(alone.hypotheses) / alone.search_seconds
    return {
        f"{search}, one at a time": single,
        f"{search}, latency": 1000 / single,
        f"{search}, batches": len(batched.hypotheses) / batched.search_seconds,
    }


def search_counts(translator: Translator, source: Path, translation: Translation) -> BatchCounts:
    """The tokens of sources and hypotheses, EOS included; a hypothesis has the pieces that its text is cut into.

    Args:
        translator: With the tokenizers.
        source: The text, of which the first lines were translated.
        translation: Of those.
    """
    lines = read_lines(source)[: len(translation.hypotheses)]
    sources = [len(ids) + 1 for ids in translator.source_tokenizer.encode_all(lines)]
    targets = [len(ids) + 1 for ids in translator.target_tokenizer.encode_all(translation.hypotheses)]
    return BatchCounts(
        len(sources),
        sum(sources),
        sum(targets),
        sum(source * target for source, target in zip(sources, targets, strict=True)),
    )
