"""``seqlab show``: pictures of what a lecture on sequence models draws, from real batches and trained models; lists."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser, add_trust_option, positive
from experiments.storage.outputs import check_outputs
from experiments.tools.translation.line_faults import LineFaults
from experiments.tools.worst_predictions import list_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from datamodules.corpora.spelling import Spelling
    from experiments.checkpoints.translator import Translator

SENTENCES = ("a dog runs", "two children play in the snow", "a man reads a book")
"""What is shown of masks where no sentence is given."""

TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0)

EPILOG = """\
predictions lists the lines of a run's predictions.tsv, or of a file like it, worst first, as columns between tabs. The
error of a text is its edit distance to the reference over the longer one's length, in characters; that of a label is
the probability of the wrong label, so that what is wrong and sure comes first; 0 is right.

examples:
  seqlab show masks
  seqlab show predictions runs/dates/1 --top 10
  seqlab show masks --sentence "a dog runs" --sentence "a man reads a book"
  seqlab show schedules --epochs 10
  seqlab show states --ckpt_path runs/signed_sum/1
  seqlab show alignment --ckpt_path runs/multi30k/1 --sentence "A dog runs through the snow."
  seqlab show temperature --ckpt_path runs/multi30k/1 --sentence "A dog runs through the snow." --target_position 2
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab show``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is missing or out of range, or the checkpoint cannot be shown so.
        RunFailed: The picture cannot be written.
    """
    given = _parser().parse_args(arguments)
    if given.what in LISTS:
        return LISTS[given.what](given)
    if given.path is not None:
        raise UserError(f"seqlab show {given.what} takes no file: give --ckpt_path, or leave {given.path} out")
    output: Path = given.output or Path(f"{given.what}.png")
    checkpoints = [] if given.ckpt_path is None else [("--ckpt_path", given.ckpt_path)]
    check_outputs(checkpoints, {"--output": output})
    kind = _picture_kind(output)
    figure = VIEWS[given.what](given)
    from experiments.storage.durable import durable_write

    with durable_write(output.resolve()) as file:
        figure.savefig(file, format=kind, dpi=150)
    print(f"{output}: {given.what}")
    return 0


def _picture_kind(output: Path) -> str:
    """What kind of picture the end of a file's name means.

    Raises:
        UserError: None that can be drawn.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    kind, known = output.suffix.removeprefix(".").lower() or "png", FigureCanvasBase.get_supported_filetypes()
    if kind not in known:
        raise UserError(f"--output {output}: no picture ends in .{kind}; known: {', '.join(sorted(known))}")
    return kind


def _masks(given: argparse.Namespace) -> Figure:
    from datamodules.batch import Padded
    from experiments.figures.masks import masks_figure

    rows = [sentence.split() for sentence in _sentences(given) or SENTENCES]
    if not all(rows):
        raise UserError("--sentence is empty: give at least one word")
    # The mask depends on lengths alone, so any ids stand for the words.
    batch = Padded.from_sequences([range(1, len(row) + 1) for row in rows])
    longest = batch.values.shape[1]
    return masks_figure([[*row, *["<pad>"] * (longest - len(row))] for row in rows], batch.mask.numpy())


def _schedules(given: argparse.Namespace) -> Figure:
    from experiments.figures.forcing import forcing_figure
    from lightning_modules.forcing import Constant, Cosine, Exponential, InverseSigmoid, Linear

    if given.epochs < 1:
        raise UserError(f"--epochs is {given.epochs}: give at least 1")
    epochs = float(given.epochs)
    resolution = 100  # steps in an epoch
    schedules = {
        "constant 0.5": Constant(0.5),
        "linear": Linear(epochs),
        "exponential": Exponential(0.05 ** (1.0 / epochs)),  # 5 percent are left at the end
        "inverse sigmoid": InverseSigmoid(epochs * resolution / 10, unit="steps"),  # half of it is about half-way
        "cosine": Cosine(epochs),
    }
    places = [epochs * share / 100 for share in range(101)]
    ratios = {
        name: [schedule.ratio(round(place * resolution), resolution) for place in places]
        for name, schedule in schedules.items()
    }
    shares = (0, 25, 50, 75, 100)
    width = max(map(len, ratios))
    print(f"{'epoch':<{width}}  " + "  ".join(f"{epochs * share / 100:>6g}" for share in shares))
    for name, values in ratios.items():
        print(f"{name:<{width}}  " + "  ".join(f"{values[share]:6.3f}" for share in shares))
    return forcing_figure(places, ratios)


def _states(given: argparse.Namespace) -> Figure:
    import torch

    from experiments.checkpoints.reading import read_checkpoint
    from experiments.checkpoints.trained_model import trained_model
    from experiments.figures.states import states_figure
    from experiments.storage.layout import find_checkpoint
    from lightning_modules.birnn import BiRNNClassifier

    path = find_checkpoint(_checkpoint(given))
    checkpoint = read_checkpoint(path, given.trust)
    otherwise = "which is no classifier: give one of BiRNNClassifier, or show its alignment"
    model = trained_model(checkpoint, path, BiRNNClassifier, otherwise).eval()
    if given.length < 1:
        raise UserError(f"--length is {given.length}: give at least 1")
    generator = torch.Generator().manual_seed(given.seed)
    sequence = torch.randn(1, given.length, model.hparams["source_feature_size"], generator=generator)
    with torch.no_grad():
        memory, _ = model.encoder(sequence, torch.tensor([given.length]))
    directions = getattr(model.encoder, "directions", 1)
    names = ("forward, from the first position", "backward, from the last position")
    parts = dict(zip(names, memory[0].chunk(directions, dim=1), strict=False))
    run = path.resolve().parents[1]
    title = f"Hidden states, {run.parent.name}/{run.name}"
    return states_figure({name: part.numpy() for name, part in parts.items()}, title)


def _alignment(given: argparse.Namespace) -> Figure:
    from datamodules.batch import EOS
    from experiments.figures.alignment import alignment_figure

    translator, ids, (of_source, of_target) = _translator(given)
    ((best, *_),) = translator.search_batch([ids], translator.beam_search(), with_attention=True)
    if best.attention is None:
        raise UserError("the model of this checkpoint has no attention, and so no alignment")
    text = of_target.decode(best.ids)
    print(text)
    pieces = of_target.pieces([*best.ids, EOS])
    return alignment_figure(of_source.pieces(ids), pieces, best.attention, text)


def _temperature(given: argparse.Namespace) -> Figure:
    from datamodules.batch import EOS
    from experiments.figures.temperature import temperature_figure
    from experiments.tools.attention_view import attention_view

    if not given.temperature or not all(0.0 < each < math.inf for each in given.temperature):
        raise UserError(f"--temperature has {given.temperature}: give numbers above 0")
    translator, ids, (of_source, of_target) = _translator(given)
    ((best,),) = translator.search_batch([ids], translator.greedy_search())
    pieces = of_target.pieces([*best.ids, EOS])
    position = len(pieces) // 2 if given.target_position is None else given.target_position - 1
    if not 0 <= position < len(pieces):
        raise UserError(
            f"--target_position is {given.target_position}: the translation has {len(pieces)} tokens, from 1"
        )
    view = attention_view(translator.members[0], ids, best.ids, position, sorted(given.temperature))
    source = of_source.pieces(ids)
    print(of_target.decode(best.ids))
    for temperature, entropy in zip(sorted(given.temperature), view.entropies, strict=True):
        print(f"temperature {temperature:g}: entropy {entropy:.3f} nats of at most {math.log(len(source)):.3f}")
    return temperature_figure(
        source, pieces[position], view.scores, sorted(given.temperature), view.weights, view.contributions
    )


VIEWS: dict[str, Callable[[argparse.Namespace], Figure]] = {
    "masks": _masks,
    "schedules": _schedules,
    "states": _states,
    "alignment": _alignment,
    "temperature": _temperature,
}

LISTS: dict[str, Callable[[argparse.Namespace], int]] = {"predictions": list_predictions}


def _checkpoint(given: argparse.Namespace) -> Path:
    if given.ckpt_path is None:
        raise UserError(f"seqlab show {given.what} needs a trained model: give --ckpt_path, a checkpoint or a run")
    return given.ckpt_path


def _sentences(given: argparse.Namespace) -> list[str]:
    """What ``--sentence`` gives, as text.

    Raises:
        UserError: It is not UTF-8.
    """
    faults = LineFaults(strict=True)
    return [
        faults.decode(os.fsencode(sentence), "--sentence", number)
        for number, sentence in enumerate(given.sentence or [], start=1)
    ]


def _translator(given: argparse.Namespace) -> tuple[Translator, list[int], tuple[Spelling, Spelling]]:
    """The translator, the ids of the sentence to show, and how it and its translations are spelled."""
    from experiments.checkpoints.loading import load_translator

    path = _checkpoint(given)
    sentence = next(iter(_sentences(given)), "")
    if not sentence.strip():
        raise UserError(f'seqlab show {given.what} needs a source sentence: give --sentence "..."')
    translator = load_translator(path, given.trust, "cpu")
    ids, faults = translator.encode(sentence), LineFaults()
    faults.check_length(len(ids) - 1, translator.longest_source, "source", "--sentence")
    faults.check_known(ids[:-1], "source", "--sentence")
    return translator, ids, translator.spellings(sentence)


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab show",
        description="Draws masks: a padded batch with its padding mask, the causal mask and both combined; schedules: "
        "the teacher-forcing schedules, with a table of ratios; states: the hidden states of both directions of a "
        "trained classifier over time; alignment: what a trained model looked at while it translated; temperature: "
        "scores, weights and entropy of its attention at several temperatures, and what each source position "
        "contributes to the context; predictions: what a model predicted, worst first.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = [*VIEWS, *LISTS]
    parser.add_argument("what", choices=known, metavar="WHAT", help=", ".join(known))
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="RUN_OR_FILE", help="predictions: a run's directory, or a table"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the picture (default: WHAT.png); predictions: the list (default: standard output)",
    )
    parser.add_argument("--top", type=positive, default=20, metavar="N", help="predictions: how many (default: 20)")
    parser.add_argument("--ckpt_path", type=Path, metavar="CKPT", help="a checkpoint, or a run's directory")
    parser.add_argument("--sentence", action="append", metavar="TEXT", help="a source sentence; of masks several")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="schedules: of the training (default: 10)")
    parser.add_argument("--length", type=int, default=30, metavar="N", help="states: of the sequence (default: 30)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="states: of the sequence (default: 1)")
    parser.add_argument(
        "--target_position", type=int, metavar="N", help="temperature: which target token, from 1 (default: the middle)"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        nargs="+",
        default=list(TEMPERATURES),
        metavar="T",
        help="temperatures (default: 0.25 0.5 1 2 4)",
    )
    add_trust_option(parser)
    return parser
