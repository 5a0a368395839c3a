"""The corpus of a benchmark in the pieces of one tokenizer, which all systems are given."""

from __future__ import annotations

from pathlib import Path

from datamodules.tokenizers import Tokenizer
from experiments.benchmarks.operations import BatchCounts
from experiments.benchmarks.peers.corpus import PeerCorpus, read_lines, write_lines
from experiments.benchmarks.seqlab_system import corpus_files


def write_pieces(directory: Path, tokenizer: Tokenizer) -> PeerCorpus:
    """Writes each split, a sentence a line with a space between its pieces.

    Args:
        directory: Gets the files.
        tokenizer: The tokenizer of both languages.

    Raises:
        UserError: The corpus is not there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for split in ("train", "val", "test"):
        pairs = list(corpus_files(split).pairs())
        for side, sentences in (("source", [pair[0] for pair in pairs]), ("target", [pair[1] for pair in pairs])):
            paths[f"{split}_{side}"] = directory / f"{split}.{side}"
            pieces = (" ".join(tokenizer.pieces(tokenizer.encode(sentence))) for sentence in sentences)
            write_lines(paths[f"{split}_{side}"], pieces)
            if split == "test":
                paths[f"text_{side}"] = directory / f"text.{side}"
                write_lines(paths[f"text_{side}"], sentences)
    return PeerCorpus(
        train_source=paths["train_source"],
        train_target=paths["train_target"],
        val_source=paths["val_source"],
        val_target=paths["val_target"],
        test_source=paths["test_source"],
        test_target=paths["test_target"],
        test_reference=paths["text_target"],
        vocabulary=tokenizer.pieces(range(tokenizer.vocabulary_size)),
    )


def mean_batch(corpus: PeerCorpus, batch_size: int) -> BatchCounts:
    """What a training batch has in the mean, EOS included.

    Args:
        corpus: In pieces.
        batch_size: Sentences.
    """
    sources, targets = (
        [line.count(" ") + 2 for line in read_lines(path)] for path in (corpus.train_source, corpus.train_target)
    )
    share = batch_size / len(sources)
    return BatchCounts(
        batch_size,
        round(sum(sources) * share),
        round(sum(targets) * share),
        round(sum(source * target for source, target in zip(sources, targets, strict=True)) * share),
    )
