"""What a search took, and what it had to compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datamodules.errors import RunFailed
from datamodules.tokenizers import Tokenizer
from experiments.benchmarks.operations import BatchCounts
from experiments.benchmarks.peers import Translation
from experiments.benchmarks.peers.corpus import read_lines
from experiments.checkpoints.translator import Translator


def searching_quantities(
    search: str, alone: Translation, batched: Translation, count_tokens: Callable[[list[str]], int]
) -> dict[str, float]:
    """The speeds of one search, by the sentence and by the token: models differ in how much they write.

    Args:
        search: Its name, which begins that of each quantity.
        alone: One sentence at a time.
        batched: In batches.
        count_tokens: How many tokens hypotheses have, an EOS for each included; the same way for every system.

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
        f"{search}, latency of a token": 1000 * alone.search_seconds / count_tokens(alone.hypotheses),
        f"{search}, batches": len(batched.hypotheses) / batched.search_seconds,
        f"{search}, tokens in batches": count_tokens(batched.hypotheses) / batched.search_seconds,
    }


def search_counts(translator: Translator, source: Path, translation: Translation) -> BatchCounts:
    """The tokens of sources and hypotheses, EOS included; a hypothesis has the pieces that its text is cut into.

    Args:
        translator: With the tokenizers.
        source: The text, of which the first lines were translated.
        translation: What they were translated to.
    """
    lines = read_lines(source)[: len(translation.hypotheses)]
    sources = closed_lengths(translator.source_tokenizer, lines)
    targets = closed_lengths(translator.target_tokenizer, translation.hypotheses)
    return BatchCounts(
        len(sources),
        sum(sources),
        sum(targets),
        sum(source * target for source, target in zip(sources, targets, strict=True)),
    )


def closed_lengths(tokenizer: Tokenizer, lines: list[str]) -> list[int]:
    """The tokens of each line, EOS included."""
    return [len(ids) + 1 for ids in tokenizer.encode_all(lines)]
