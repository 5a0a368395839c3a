"""``seqlab compose``: music from music, with a checkpoint alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datamodules.errors import UserError
from experiments.config.tool_parser import ToolParser, add_device_option, add_trust_option, positive
from experiments.storage.outputs import check_outputs, open_output

if TYPE_CHECKING:
    from datamodules.music.notes import Piece
    from datamodules.music.tasks.task import MusicTask, Question
    from experiments.checkpoints.translator import Translator
    from lightning_modules.decoding.search import Search

READ = (".abc", ".txt", ".mid", ".midi")
WRITTEN = (".mid", ".midi", ".abc", ".png")
SAMPLING_OPTIONS = ("temperature", "top_k", "top_p", "seed")

EPILOG = """\
What is written follows from what the model was trained for: voices to a melody, a chord above each bar, or what comes
next. The input is a file of ABC or MIDI with the given voices alone, or with all of them: then those that are written
are the reference that a piano roll shows beside what was written. Of several tunes in a file, --tune N takes the N-th,
of several voices of a tune in ABC, --voice N the N-th alone.

The suffix of an output says what it becomes: .mid to be played, .abc to be printed, .png a piano roll. With --samples K
above 1 there are K files for each, named out-1.mid, out-2.mid and so on.

What is printed are the log-probability of what was written for each of its symbols, and statistics of the music.

examples:
  seqlab compose --ckpt_path runs/harmonisation/1 --input melody.abc --output chorale.mid chorale.png
  seqlab compose --ckpt_path runs/chords/1 --input tune.abc --output tune.abc
  seqlab compose --ckpt_path runs/tunes/1 --input tune.abc --output more.mid --samples 3 --temperature 0.8 --top_p 0.9
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab compose``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, a file cannot be used, or the checkpoint was not trained on music.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    _check(given)
    from experiments.checkpoints.loading import load_translator
    from experiments.checkpoints.saved_task import trained_task

    task = trained_task(given.ckpt_path, given.trust)
    translator = load_translator(given.ckpt_path, given.trust, given.device)
    piece = _read(given.input, given.tune, given.steps, given.voice)
    question = task.question(piece)
    _check_known(translator, question, piece.place)
    written = _compose(given, task, translator, piece, question)
    for number, (music, score) in enumerate(written, start=1):
        for name in _names_of(given, number):
            with open_output(name) as file:
                _write(file, name, music, piece, given.input.stem)
            print(name)
        _tell(music, score / question.length)
    return 0


def _names_of(given: argparse.Namespace, number: int) -> list[Path]:
    """The outputs of one hypothesis, counted from 1; they have its number where there are several."""
    paths: list[Path] = given.output
    return paths if (given.samples or 1) == 1 else [path.with_stem(f"{path.stem}-{number}") for path in paths]


def _compose(
    given: argparse.Namespace, task: MusicTask, translator: Translator, piece: Piece, question: Question
) -> list[tuple[Piece, float]]:
    """The music of each hypothesis, and its log-probability."""
    import torch

    torch.manual_seed(given.seed or 0)
    source = translator.encode(question.source)
    (found,) = translator.search_sorted([source], _search(given, question.length), batch_size=1)
    pieces = translator.spellings(question.source)[1].pieces  # one for each id: a symbol belongs to its place
    return [(task.answer(piece, pieces(hypothesis.ids)), hypothesis.log_probability) for hypothesis in found]


def _search(given: argparse.Namespace, length: int) -> Search:
    """A search for hypotheses of exactly a length."""
    from lightning_modules.decoding.beam import BeamSearch
    from lightning_modules.decoding.sampling import SamplingSearch

    if given.samples is None:
        return BeamSearch(beam_size=given.beam_size or 1, n_best=1, max_length=length, min_length=length)
    temperature, top_p = (1.0 if value is None else value for value in (given.temperature, given.top_p))
    return SamplingSearch(given.samples, temperature, given.top_k or 0, top_p, max_length=length, min_length=length)


def _read(path: Path, tune: int, steps: int, voice: int | None) -> Piece:
    """The piece of a file."""
    from datamodules.music.files import AbcFiles, MidiFiles

    is_midi = path.suffix.lower().startswith(".mid")
    files = MidiFiles(str(path), steps) if is_midi else AbcFiles(str(path), voice=voice)
    pieces = list(files.pieces())
    if not 1 <= tune <= len(pieces):
        raise UserError(f"--tune is {tune}, but {path} has {len(pieces)}: give 1 to {len(pieces)}")
    return pieces[tune - 1]


def _check_known(translator: Translator, question: Question, place: str) -> None:
    """Refuses music with notes that training did not have."""
    unknown = translator.source_tokenizer.unknown(question.source)
    if unknown:
        raise UserError(
            f"{place}: '{unknown[0]}' came nowhere in training, as {len(unknown):,} of "
            f"{len(question.source.split()):,} symbols: transpose the music to where the training's is"
        )


def _write(file: BinaryIO, path: Path, music: Piece, given: Piece, title: str) -> None:
    """Writes a piece in the form that the suffix names."""
    from datamodules.music.abc_writing import abc_text
    from datamodules.music.midi import write_midi

    if path.suffix == ".png":
        from experiments.figures.piano_roll import piano_roll

        has_reference = len(given.voices) == len(music.voices) > 1 or any(bar.chords for bar in given.bars)
        pieces = {**({"target": given} if has_reference else {}), "written": music}
        piano_roll(pieces, _names(music), title).savefig(file, format="png", dpi=120)
    elif path.suffix == ".abc":
        file.write(abc_text(music, title).encode())
    else:
        write_midi(music, file)


def _tell(music: Piece, log_probability: float) -> None:
    from datamodules.music.statistics import statistics

    print(f"  log-probability of a symbol: {log_probability:.3f}")
    for line in statistics([music]).lines(_names(music)):
        print(f"  {line}")


def _names(music: Piece) -> list[str]:
    return [f"voice {number}" for number in range(1, len(music.voices) + 1)]


def _check(given: argparse.Namespace) -> None:
    """Refuses what is out of range or has no place, before anything is loaded."""
    from experiments.storage.layout import find_checkpoint

    if given.input.suffix.lower() not in READ:
        raise UserError(f"--input {given.input}: its name has to end in {', '.join(READ)}, which says what it is")
    if given.voice is not None and given.input.suffix.lower() in READ[2:]:
        raise UserError("--voice is for ABC, but --input is MIDI: leave it out")
    for path in given.output:
        if path.suffix not in WRITTEN:
            raise UserError(f"--output {path}: its name has to end in {', '.join(WRITTEN)}, which says what it becomes")
    for name in SAMPLING_OPTIONS:
        if given.samples is None and getattr(given, name) is not None:
            raise UserError(f"--{name} is for sampling: add --samples 1, or leave it out")
    if given.samples is not None and given.beam_size is not None:
        raise UserError("--beam_size is for beam search, but --samples draws in its place: leave one of them out")
    _search(given, 1)
    inputs = [("--ckpt_path", find_checkpoint(given.ckpt_path)), ("--input", given.input)]
    outputs = [name for number in range(1, (given.samples or 1) + 1) for name in _names_of(given, number)]
    check_outputs(inputs, {f"--output[{number}]": path for number, path in enumerate(outputs)})


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab compose",
        description="Writes music to music with a checkpoint alone: no config, no data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="CKPT", help="a checkpoint, or a run")
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="a file of ABC or MIDI")
    parser.add_argument("--output", type=Path, required=True, nargs="+", metavar="FILE", help=".mid, .abc or .png")
    parser.add_argument("--tune", type=positive, default=1, metavar="N", help="which tune of the input (default: 1)")
    parser.add_argument("--voice", type=positive, metavar="N", help="which voice of ABC is read alone (default: all)")
    parser.add_argument(
        "--steps",
        type=positive,
        default=4,
        metavar="N",
        help="of a quarter note, for MIDI (default: 4)",
    )
    parser.add_argument("--beam_size", type=positive, metavar="N", help="prefixes kept (default: 1, greedy)")
    sampling = parser.add_argument_group("sampling, in place of the most probable")
    sampling.add_argument("--samples", type=positive, metavar="K", help="draw K pieces")
    sampling.add_argument("--temperature", type=float, metavar="T", help="above 1 draws more evenly (default: 1.0)")
    sampling.add_argument("--top_k", type=positive, metavar="N", help="draw from the N most probable symbols alone")
    sampling.add_argument("--top_p", type=float, metavar="P", help="draw from those with the probability P together")
    sampling.add_argument("--seed", type=positive, metavar="N", help="of the draws (default: 0)")
    add_trust_option(parser)
    add_device_option(parser)
    return parser
