"""``seqlab music``: what there is in the music of a config, and what is reached without a model."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser

if TYPE_CHECKING:
    from datamodules.batch import Split
    from datamodules.music.data import MusicDataModule

EPILOG = """\
Of each split the pieces, pairs and symbols, and statistics of the notes; of the test set, or of --split, what is
reached without a model. Holding what was before: the share of the target's symbols of each kind, of those with one of
their kind before them in their pair, that are the same; it is what test/KIND_copied is in a run. Of chords besides:
always the tonic of the key, and a naive Bayes classifier on the pitch classes of each bar, by how long they sound.

example: seqlab music --config configs/music/chords.yaml
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab music``.

    Returns:
        The exit status.

    Raises:
        UserError: The config has no music, or its files cannot be read.
    """
    given = _parser().parse_args(arguments)
    data = _data(given.config)
    if given.split not in data.splits:
        raise UserError(f"--split is {given.split}, but there is {', '.join(data.splits)}")
    for split in data.splits:
        _tell_split(data, split)
    print(f"without a model, on {given.split}:")
    for name, share in _held(data, given.split).items():
        print(f"  {name}, held: {share:.1%}")
    _tell_chords(data, given.split)
    return 0


def _tell_split(data: MusicDataModule, split: Split) -> None:
    from datamodules.music.statistics import statistics

    pieces, pairs = list(data.pieces(split)), list(data.pairs(split))
    symbols = sum(len(target.split()) for _, target in pairs)
    print(f"{split}: {len(pieces):,} pieces, {len(pairs):,} pairs, {symbols:,} symbols to be written")
    if pieces and len({len(piece.voices) for piece in pieces}) == 1:
        names = [f"voice {number}" for number in range(1, len(pieces[0].voices) + 1)]
        for line in statistics(pieces).lines(names):
            print(f"  {line}")
    for remark in data.remarks(split):
        print(f"  {remark}")


def _held(data: MusicDataModule, split: Split) -> dict[str, float]:
    """For each kind of symbols the share of those that are the same as the one before."""
    same, count = Counter[str](), Counter[str]()
    for _, target in data.pairs(split):
        before: dict[str, str] = {}
        for symbol in target.split():
            kind, value = data.task.kind(symbol), data.task.value(symbol)
            if kind is None:
                continue
            if kind in before:
                count[kind] += 1
                same[kind] += before[kind] == value
            before[kind] = value
    found = {kind: same[kind] / count[kind] for kind in sorted(count)}
    return found | ({"all together": same.total() / count.total()} if count else {})


def _tell_chords(data: MusicDataModule, split: Split) -> None:
    from datamodules.music.baselines import chord_baselines
    from datamodules.music.tasks.bar_chords import BarChords

    if not isinstance(data.task, BarChords):
        return
    bars, shares = chord_baselines(data.pieces("train"), data.pieces(split))
    print(f"  chords of {bars:,} bars:")
    for name, share in shares.items():
        print(f"    {name}: {share:.1%}")


def _data(path: Path) -> MusicDataModule:
    """The data of a config.

    Raises:
        UserError: The config cannot be read, or has other data.
    """
    import yaml

    from datamodules.music.data import MusicDataModule
    from experiments.config.config_file import check_config_file
    from experiments.config.known_classes import import_parts
    from experiments.config.parser import OneLineErrorParser
    from experiments.config.shipped_configs import find_config

    found = find_config(path)
    check_config_file(found)
    described = yaml.safe_load(found.read_text(encoding="utf-8")).get("data")
    if not isinstance(described, dict) or not str(described.get("class_path", "")).endswith("MusicDataModule"):
        raise UserError(f"--config {path} has no MusicDataModule: give one of configs/music")
    import_parts()
    parser = OneLineErrorParser()
    parser.add_subclass_arguments(MusicDataModule, "data", required=True)
    data = parser.instantiate_classes(parser.parse_object({"data": described})).data
    assert isinstance(data, MusicDataModule)
    return data


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab music",
        description="Tells what there is in the music of a config, and what is reached without a model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="a config of configs/music")
    parser.add_argument("--split", default="test", metavar="NAME", help="what baselines are of (default: test)")
    return parser
