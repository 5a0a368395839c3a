"""``seqlab chat``: a talk with a checkpoint, one line after the other."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from datamodules.errors import UserError, suggest
from experiments.config.tool_parser import ToolParser, add_checkpoint_options
from experiments.tools.translation.line_faults import LineFaults
from experiments.tools.translation.lines import read_lines

if TYPE_CHECKING:
    from experiments.checkpoints.translation import Translation
    from experiments.checkpoints.translator import Translator
    from experiments.tools.dialogue.conversation import Conversation

MOST_SHOWN = 3
"""Source tokens that are shown for each token of an answer."""

LEAST_SHOWN = 0.05
"""The smallest weight that is shown."""

EPILOG = """\
A model of dialogues reads what was said before, as many turns and words of each as in its training; the checkpoint says
whether it is one. Any other model answers each line alone. Lines that begin with a slash are commands:

  /acts TEXT   what the next answer has to say, for a model that was trained on acts: /acts REQUEST time
  /attention   what each word of the last answer attended to
  /context     what the model reads of what was said
  /reset       forget what was said
  /help        these commands

Ctrl-D ends. From a pipe, one answer is written for each line that is no command.

examples:
  seqlab chat --ckpt_path runs/bookings/1
  printf 'I want to eat in Paris.\\n/context\\n' | seqlab chat --ckpt_path runs/bookings/1
"""


class Chat:
    """Answers lines.

    Args:
        translator: The model.
        conversation: What was said so far.
        beam_size: Prefixes that are kept; 1 is greedy.
    """

    def __init__(self, translator: Translator, conversation: Conversation, beam_size: int) -> None:
        self._translator = translator
        self._conversation = conversation
        self._search = translator.beam_search(beam_size)
        self._last: Translation | None = None
        self._commands: dict[str, Callable[[str], str]] = {
            "/acts": self._acts,
            "/attention": self._attention,
            "/context": self._context,
            "/help": lambda _: EPILOG.partition("\n\n")[2].partition("\n\n")[0],
            "/reset": self._reset,
        }

    def reply(self, line: str, faults: LineFaults) -> str:
        """What is written for a line: an answer, or what a command shows.

        Args:
            line: Not empty.
            faults: Tells what is wrong with it.

        Raises:
            UserError: It is a command that does not exist, or cannot be followed.
        """
        if line.startswith("/"):
            word, _, rest = line.partition(" ")
            if word not in self._commands:
                raise UserError(f"unknown command '{word}': {suggest(word, self._commands)}")
            return self._commands[word](rest.strip())
        source = self._conversation.source(line)
        faults.check_excerpt(self._translator.excerpt, source, "what was said")
        faults.check_known(self._translator.encode(source)[:-1], "source", "what was said")
        self._last = self._translator.translate([source], self._search)[0]
        self._conversation.answered(self._last.text)
        return self._last.text

    def _acts(self, acts: str) -> str:
        self._conversation.demand(acts)
        return ""

    def _context(self, _: str) -> str:
        return self._conversation.context() or "(nothing was said)"

    def _reset(self, _: str) -> str:
        self._conversation.reset()
        self._last = None
        return ""

    def _attention(self, _: str) -> str:
        if self._last is None:
            raise UserError("/attention shows the last answer: say something first")
        if self._last.attention is None:
            raise UserError("/attention: this model has no attention")
        return "\n".join(attention_lines(self._last))


def attention_lines(translation: Translation) -> Iterator[str]:
    """For each token of an answer the source tokens with the greatest weights: ``Paris  <- Paris 0.93``.

    Args:
        translation: With attention.
    """
    assert translation.attention is not None
    width = max(map(len, translation.tokens))
    for token, weights in zip(translation.tokens, translation.attention, strict=True):
        order = weights.argsort()[::-1][:MOST_SHOWN]
        shown = [
            f"{translation.source_tokens[at].strip()} {weights[at]:.2f}" for at in order if weights[at] > LEAST_SHOWN
        ]
        yield f"{token.strip():<{width}}  <- {', '.join(shown)}"


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab chat``.

    Returns:
        The exit status.

    Raises:
        UserError: An option is out of range, or the checkpoint cannot be used.
    """
    given = _parser().parse_args(arguments)
    with contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        _talk(given)
    return 0


def _talk(given: argparse.Namespace) -> None:
    from experiments.checkpoints.loading import load_ensemble
    from experiments.tools.dialogue.conversation import Conversation

    translator = load_ensemble(given.ckpt_path, given.trust, given.device)
    conversation = Conversation(translator.excerpt)
    chat = Chat(translator, conversation, given.beam_size)
    if sys.stdin.isatty():
        kept = "keeps what was said" if conversation.keeps_turns else "answers each line alone"
        print(f"the model {kept}; /help tells the commands, Ctrl-D ends", file=sys.stderr)
    for line in read_lines(sys.stdin.buffer, "standard input", LineFaults()):
        if not line.strip():
            print("seqlab: nothing was said: type a line, or /help", file=sys.stderr, flush=True)
            continue
        try:
            reply = chat.reply(line.strip(), LineFaults())
        except UserError as error:  # of a line: the talk goes on
            print(f"seqlab: {error}", file=sys.stderr, flush=True)
            continue
        if reply or not line.startswith("/"):
            print(reply, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab chat",
        description="Talks with a checkpoint: an answer for each line, from what was said so far.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_options(parser)
    parser.add_argument("--beam_size", type=int, default=5, metavar="N", help="prefixes kept (default: 5)")
    return parser
