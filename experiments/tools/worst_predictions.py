"""``seqlab show predictions``: the lines of ``predictions.tsv``, worst first."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

from datamodules.errors import UserError
from experiments.storage.outputs import STANDARD_OUTPUT, check_outputs, open_output, write
from experiments.storage.predictions_table import PREDICTIONS, escaped, read_predictions

COLUMNS = ("line", "source", "hypothesis", "reference")
"""What a table has to have, and what is listed of it behind the error."""


def list_predictions(given: argparse.Namespace) -> int:
    """Prints the worst lines of a table, with how wrong each is.

    Args:
        given: ``path``, the table or a run; ``top``, how many lines; ``output``, a file in place of standard output.

    Returns:
        The exit status.

    Raises:
        UserError: No table is given, or it cannot be read.
        RunFailed: The output cannot be written.
    """
    if given.path is None:
        raise UserError("seqlab show predictions needs a run or a file: seqlab show predictions runs/dates/1")
    table: Path = given.path / PREDICTIONS if given.path.is_dir() else given.path
    outputs = {"--output": given.output} if given.output else dict([STANDARD_OUTPUT])
    check_outputs([("the table", table)], outputs)
    rows = sorted(((error_of(row), row) for row in read_predictions(table, COLUMNS)), key=lambda each: -each[0])
    lines = ["\t".join(("error", *COLUMNS))]
    for error, row in rows[: given.top]:
        lines.append("\t".join((f"{error:.3f}", *(escaped(row[name]) for name in COLUMNS))))
    with contextlib.ExitStack() as stack, contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        output = sys.stdout.buffer if given.output is None else stack.enter_context(open_output(given.output))
        write(output, "".join(f"{line}\n" for line in lines).encode())
    return 0


def error_of(row: Mapping[str, str]) -> float:
    """How wrong a prediction is, 0 to 1.

    Args:
        row: Of text its hypothesis and reference: the insertions, deletions and substitutions of characters that make
            one of the other (Levenshtein 1966), for each character of the longer one. Of a label with a probability the
            probability of a wrong one, or 0: so the errors that the model was surest of come first.

    Raises:
        UserError: The probability is no number.
    """
    hypothesis, reference = row["hypothesis"], row["reference"].strip() if "probability" in row else row["reference"]
    if hypothesis == reference:
        return 0.0
    if "probability" in row:
        try:
            return float(row["probability"])
        except ValueError as error:
            raise UserError(
                f"the probability of line {row['line']} is {row['probability']!r}: give a number"
            ) from error
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_distance(hypothesis, reference))
