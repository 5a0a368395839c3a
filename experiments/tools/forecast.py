"""``seqlab forecast``: what comes after the end of a series, with a checkpoint alone."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.config.tool_parser import ToolParser, add_checkpoint_option, add_device_option, add_trust_option
from experiments.storage.outputs import STANDARD_OUTPUT, add_overwrite_option, check_outputs, open_output, write

if TYPE_CHECKING:
    from datamodules.series.ahead import AheadVectors, SeriesFormat
    from lightning_modules.forecasting.module import ForecastModule

EPILOG = """\
A CSV of time, column, value, lower and upper is written, in the data's own units: for each step after the end of the
input a row for each column. Lower and upper are empty where the model was trained for a point alone. The input has the
columns that the model was trained on, written as those were, and at least as many rows as it reads; others are ignored.
Where the model reads columns that are known ahead, --future has these for the steps after the end.

Files are looked for in the working directory, then in $SEQLAB_DATA, else in data/; .gz is read too.

examples:
  seqlab forecast --ckpt_path runs/pm25/1 --input today.csv
  seqlab forecast --ckpt_path best.ckpt --input sales.csv --future holidays.csv --output next_week.csv
"""

COLUMNS = ("time", "column", "value", "lower", "upper")


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab forecast``.

    Returns:
        The exit status.

    Raises:
        UserError: A file or the checkpoint cannot be used.
        RunFailed: The output cannot be written.
    """
    given = _parser().parse_args(arguments)
    with contextlib.suppress(BrokenPipeError):  # the reader has left, as head does
        _forecast(given)
    return 0


def _forecast(given: argparse.Namespace) -> None:
    from datamodules.corpora.corpus import find_file
    from experiments.storage.layout import find_checkpoint

    checkpoint = find_checkpoint(given.ckpt_path)
    files = [(f"--{name}", find_file(getattr(given, name))) for name in ("input", "future") if getattr(given, name)]
    outputs = {"--output": given.output} if given.output else dict([STANDARD_OUTPUT])
    check_outputs([("--ckpt_path", checkpoint)], outputs, files, given.overwrite)
    from experiments.checkpoints.forecaster import load_forecaster

    model, series = load_forecaster(checkpoint, given.trust, given.device)
    ahead = series.vectors_ahead(given.input, given.future)
    told = io.StringIO()
    csv.writer(told, lineterminator="\n").writerows([COLUMNS, *_rows(model, series, ahead)])
    with contextlib.ExitStack() as stack:
        output = sys.stdout.buffer if given.output is None else stack.enter_context(open_output(given.output))
        write(output, told.getvalue().encode())


def _rows(model: ForecastModule, series: SeriesFormat, ahead: AheadVectors) -> Iterator[tuple[str, ...]]:
    import torch

    from datamodules.series.windows import window_batch

    layout = series.layout
    rows = torch.from_numpy(ahead.values)[None]
    sizes = ahead.window, len(layout.columns), layout.size - layout.future_size
    with torch.inference_mode():
        forecast = model.forecast(window_batch(rows, *sizes, torch.zeros(1, dtype=torch.long)).to(model.device))
    kept = [None if part is None else part[0].double().cpu().numpy() for part in forecast[:3]]
    restored = [None if part is None else series.scaling.restored(part) for part in kept]
    for step in range(len(ahead.values) - ahead.window):
        for column, name in enumerate(layout.columns):
            numbers = ("" if part is None else f"{part[step, column]:.6g}" for part in restored)
            yield str(ahead.table.time(ahead.window + step)), name, *numbers


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab forecast",
        description="Predicts what comes after the end of a series with a checkpoint: no config, no training data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint_option(parser)
    parser.add_argument("--input", required=True, metavar="FILE", help="the series until now, a CSV file with a header")
    parser.add_argument("--future", metavar="FILE", help="what is known ahead, a CSV file with the steps after the end")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write (default: standard output)")
    add_trust_option(parser)
    add_device_option(parser)
    add_overwrite_option(parser)
    return parser
