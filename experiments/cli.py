"""``seqlab``: one word says what to do, the rest is read by the part that does it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import NamedTuple

from experiments.tuning.trial_variable import TRIAL_VARIABLE


class Command(NamedTuple):
    """A command of seqlab.

    Attributes:
        module: Where its ``main(arguments) -> int`` is; imported only when the command is called.
        summary: One line for ``seqlab --help``.
        needs_lightning: Whether it runs models as Lightning's modules, or torch's do.
    """

    module: str
    summary: str
    needs_lightning: bool = True


LIGHTNING = "experiments.runs.lightning_cli"
"""What has the commands of LightningCLI."""

TRIAL = "experiments.tuning.trial_report"
"""What trains where a search has started the training."""

COMMANDS = {
    "fit": Command(LIGHTNING, "train the experiment of a config"),
    "validate": Command(LIGHTNING, "measure a checkpoint on the validation set"),
    "test": Command(LIGHTNING, "measure a checkpoint on the test set"),
    "predict": Command(LIGHTNING, "write a checkpoint's predictions for the test set"),
    "baseline": Command("experiments.baselines.command", "measure rules on the data of a config, beside its model"),
    "translate": Command(
        "experiments.tools.translation.translate", "translate lines with a checkpoint alone, or several", False
    ),
    "chat": Command("experiments.tools.dialogue.chat", "talk with a checkpoint, which keeps what was said"),
    "classify": Command("experiments.tools.classify", "label lines of text with a checkpoint alone, or several"),
    "compose": Command(
        "experiments.tools.music.compose", "write voices, chords or what comes next to music in MIDI or ABC"
    ),
    "forecast": Command("experiments.tools.forecast", "predict what comes after a series with a checkpoint alone"),
    "score": Command(
        "experiments.tools.translation.score", "print how probable given translations are to a checkpoint", False
    ),
    "shortlist": Command(
        "experiments.tools.translation.shortlist", "learn which target symbols each source symbol needs", False
    ),
    "show": Command("experiments.tools.show", "draw masks, states, alignments and more; list predictions, worst first"),
    "explore": Command("experiments.explorer.command", "open a page in the browser that looks into a checkpoint"),
    "average": Command("experiments.tools.average", "average the weights of several checkpoints"),
    "quantise": Command(
        "experiments.tools.quantise", "write a checkpoint with weights of eight bits, a quarter in size"
    ),
    "export": Command(
        "experiments.export.command",
        "write a checkpoint as graphs in ONNX or TorchScript, to be run without seqlab",
        False,
    ),
    "card": Command("experiments.cards.command", "write a folder for a model hub: a checkpoint and its model card"),
    "music": Command(
        "experiments.tools.music.overview", "tell what is in the music of a config, and reached without a model"
    ),
    "slurm": Command("experiments.slurm.command", "train on a cluster: seqlab fit as a SLURM job"),
    "study": Command("experiments.studies.command", "compare variants of a config, with several seeds"),
    "report": Command(
        "experiments.report.command", "run the studies of a lecture, and write what became of its claims"
    ),
    "dashboard": Command("experiments.dashboard.command", "make a W&B workspace and report of a run or a study"),
    "tune": Command("experiments.tuning.command", "search the parameters with which an experiment does best"),
    "benchmark": Command("experiments.benchmarks.command", "measure what models cost, and what they reach"),
    "configs": Command("experiments.tools.configs", "list the configs that come with seqlab, and copy them"),
    "fetch": Command("experiments.tools.fetch", "fetch a public corpus"),
}

ONEDNN_CACHES = {"LRU_CACHE_CAPACITY": "16", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
"""Kernels that oneDNN keeps, and torch on its way to it. As it is they keep 1,024 each, one for each length and number
of rows that came, and the memory between them cannot be used again: a third of a training's peak."""

USAGE = """\
usage: seqlab COMMAND [options]      seqlab COMMAND --help tells a command's options

{commands}

options of every command:
  --debug     show the traceback of an error
  --help      show this message, or a command's
  --version   show the version

An experiment is a YAML file: seqlab fit --config configs/nmt/dates.yaml
"""


def usage() -> str:
    """What ``seqlab --help`` prints."""
    width = max(map(len, COMMANDS))
    return USAGE.format(commands="\n".join(f"  {name:<{width}}  {each.summary}" for name, each in COMMANDS.items()))


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: What follows ``seqlab`` on the command line; ``sys.argv`` if not given.

    Returns:
        The exit status: 0, 1 for what failed while running, 2 for what the user typed or gave, 130 for Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    words = [word for word in given if word != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if words[0] == "--version":
        print(f"seqlab {version('seqlab')}")
        return 0
    for variable, capacity in ONEDNN_CACHES.items():
        os.environ.setdefault(variable, capacity)
    if "SLURM_JOB_ID" in os.environ:
        from experiments.resume import signals  # all imports that take time come later

        if words[0] == "fit":
            signals.listen()
        signals.admit()
    return _told_in_one_line(lambda: _run(words), debug)


def _run(words: list[str]) -> int:
    from datamodules.errors import UserError, suggest

    if words[0] not in COMMANDS:
        raise UserError(f"unknown command '{words[0]}': {suggest(words[0], COMMANDS, 'in seqlab --help')}")
    module, _, needs_lightning = COMMANDS[words[0]]
    if not needs_lightning and not any(word.startswith("--trust") for word in words):
        _leave_out_lightning()
    is_lightnings = module == LIGHTNING
    if words[0] == "fit" and TRIAL_VARIABLE in os.environ:
        module = TRIAL
    run: Callable[[list[str]], int] = importlib.import_module(module).main
    # LightningCLI tells its commands apart by their name, the tools know theirs.
    return run(words if is_lightnings else words[1:])


def _leave_out_lightning() -> None:
    """Lets models be torch's modules, as where Lightning is not installed: to import it takes longer than to translate.

    Without effect where it is imported already. Classes of one's own may need it.
    """
    if "lightning" not in sys.modules:
        sys.modules["lightning"] = None  # type: ignore[assignment]  # Python's word for what is not to be imported


def _told_in_one_line(run: Callable[[], int], debug: bool) -> int:
    """Runs something; an error meant for a person becomes one line on stderr and an exit status."""
    from datamodules.errors import UserError, short_message

    try:
        return run()
    except KeyboardInterrupt as interrupt:
        if debug:
            raise
        print("\nseqlab: interrupted", *(f"; {word}" for word in interrupt.args if word), sep="", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_has_left():
            return 0
        if debug:
            raise
        told = _meant_for_a_person(error) or _missing_package(error)
        print(f"seqlab: error: {short_message(str(told)) if told else _unforeseen(error)}", file=sys.stderr)
        return 2 if isinstance(told, UserError) or type(error).__name__ == "MisconfigurationException" else 1


def _reader_has_left() -> bool:
    """Whether nobody reads the output any more, as ``head`` does when it has enough; then nothing more is written."""
    import select

    place = sys.stdout.fileno()
    watched = select.poll()
    watched.register(place, select.POLLERR)
    if not watched.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), place)  # what is still to be written goes there
    return True


def _unforeseen(error: Exception) -> str:
    """One line on an error that nobody wrote for a person, with its place where that is in code of one's own."""
    from datamodules.errors import shortened
    from experiments.config.own_modules import where

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    place = where(error)
    told = f"{f'{place}: ' if place else ''}{type(error).__name__}: {shortened(lines[0]) if lines else 'no message'}"
    return f"{told} (--debug shows the traceback)"


def _missing_package(error: Exception) -> BaseException | None:
    """What is told where one of the packages that seqlab needs was never installed."""
    from datamodules.errors import UserError

    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or find_spec(name) is not None:
        return None
    return UserError(
        f"the package {name} is not installed, and this command needs it: pip install seqlab brings all that it needs; "
        "with torch and numpy alone (and sentencepiece, for its tokenizers), seqlab translates and scores"
    )


def _meant_for_a_person(error: BaseException | None) -> BaseException | None:
    """The error of one line that another was raised from: libraries wrap what a constructor raises."""
    from datamodules.errors import RunFailed, UserError

    while error is not None and not isinstance(error, UserError | RunFailed):
        error = error.__cause__ or error.__context__
    return error


if __name__ == "__main__":
    sys.exit(main())
