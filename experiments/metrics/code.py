"""Metrics on code: whether what a model wrote can be parsed. Nothing of it is run."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import warnings
from abc import abstractmethod
from collections.abc import Sequence

from datamodules.errors import UserError
from experiments.metrics.measure import TextMetric

_LONGEST_CHECK = 10.0
"""Seconds that bash may take for one command; it needs some thousandths."""

_AROUND = {
    "elif": "if True: pass\n{}",
    "else": "if True: pass\n{}",
    "except": "try: pass\n{}",
    "finally": "try: pass\n{}",
    "try": "{}\nfinally: pass",
    "@": "{}\ndef decorated(): pass",
}
"""What has to stand before or behind a line that is a part of a statement, by its first word or mark."""

_FIRST = re.compile(r"@|\w*")


class ParseRate(TextMetric):
    """The share of hypotheses that can be parsed, 0 to 1; one without anything to parse counts as one that cannot."""

    unit = "share of sentences"

    @abstractmethod
    def parses(self, text: str) -> bool:
        """Whether a text is code.

        Args:
            text: What the model wrote, detokenised.
        """

    def counts(self, hypothesis: str, reference: str) -> Sequence[float]:
        """See :meth:`TextMetric.counts`; the reference does not matter."""
        return int(self.parses(hypothesis)), 1

    def value(self, sums: Sequence[float]) -> float:
        """See :meth:`TextMetric.value`."""
        return sums[0] / sums[1]


class ParsesAsPython(ParseRate):
    """The share of hypotheses that this Python parses as a line of a program, 0 to 1.

    A line may be a part of a statement: the header of a block gets a body, ``else:`` an ``if`` before it, a decorator
    a function behind it. How it is indented does not matter.
    """

    name = "parses_as_python"

    def parses(self, text: str) -> bool:
        """See :meth:`ParseRate.parses`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a model wrote, such as "\d": nobody here can mend it
                return bool(ast.parse(completed(text)).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two of nesting that is too deep
            return False


class ParsesAsBash(ParseRate):
    """The share of hypotheses that bash parses, 0 to 1: ``bash -n`` reads commands and runs none of them.

    Raises:
        UserError: There is no bash.
    """

    name = "parses_as_bash"

    def __init__(self) -> None:
        bash = shutil.which("bash")
        if bash is None:
            raise UserError(
                "trainer.callbacks: ParsesAsBash needs bash, which is not found on the PATH: install it, or leave the "
                "metric out of TextMetrics"
            )
        self._command = [bash, "--noprofile", "--norc", "-n"]

    def parses(self, text: str) -> bool:
        """See :meth:`ParseRate.parses`; what bash cannot decide within ten seconds cannot be parsed."""
        if not text.strip():
            return False
        # Without an environment: BASH_ENV would name a file that is run first.
        try:
            ended = subprocess.run(
                self._command,
                input=f"{text}\n".encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                timeout=_LONGEST_CHECK,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0


def completed(line: str) -> str:
    """A program in which a line of Python stands, with what the line alone lacks of a statement.

    Args:
        line: One line, however indented.
    """
    line = line.strip()
    if line.endswith(":"):
        line += " pass"
    return _AROUND.get(_FIRST.findall(line)[0], "{}").replace("{}", line)
