"""A config, parsed: for a process that others are forked from.

The parser looks into each class that a config names once: it reads its docstring and works out its types. A process
that is forked from one that did has this behind it.
"""

from contextlib import redirect_stdout, suppress
from io import StringIO

from experiments.runs.lightning_cli import SeqlabCLI

with redirect_stdout(StringIO()), suppress(SystemExit):
    SeqlabCLI(["fit", "--config", "configs/seq2seq/reversal.yaml", "--print_config"])
