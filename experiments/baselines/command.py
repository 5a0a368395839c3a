"""``seqlab baseline``: rules beside a model, measured on the same data by the same metrics as ``seqlab test``."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from typing import Any, Literal

from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError
from experiments.baselines.baseline import Baseline
from experiments.callbacks.text import example
from experiments.callbacks.text_metrics import TextMetrics
from experiments.config.class_paths import resolve
from experiments.config.known_classes import import_parts
from experiments.config.own_modules import look_in_working_directory, own_errors
from experiments.config.part_checks import check_parts
from experiments.metrics import CorpusMetric
from experiments.runs.given_configs import configs_first
from experiments.runs.lightning_cli import SeqlabCLI
from experiments.runs.lightning_notices import without_lightning_notices
from experiments.runs.output_directories import listed
from experiments.runs.run_options import explain_options

USAGE = "seqlab baseline --config FILE --config BASELINES [OPTION VALUE]..."

DESCRIPTION = """\
Measures rules on the data of an experiment's config, by the metrics that seqlab test has for its model: the first
sentence, the nearest neighbour of the training set, templates, words weighted by tf-idf. Nothing is trained or written.
Example: seqlab baseline --config configs/summarisation/synopsis.yaml --config configs/summarisation/baselines.yaml
"""

NEEDED = frozenset(("help", "config", "print_config", "seed_everything", "data", "baselines", "metrics", "split"))
"""Options that count here. A config may have all of ``seqlab test``; the help is silent on the others."""


def explain_baseline(parser: LightningArgumentParser, subcommand: str) -> None:
    """Says in the help what ``seqlab baseline`` does, and is silent on what does not count here.

    Args:
        parser: Of ``seqlab test``, with the baselines' options, complete.
        subcommand: Its name.
    """
    explain_options(parser, subcommand)
    parser.usage, parser.description = USAGE, DESCRIPTION
    for action in parser._actions:
        if action.dest.partition(".")[0] not in NEEDED:
            action.help = SUPPRESS


class BaselineCLI(SeqlabCLI):
    """Reads the config of an experiment, makes its data and its metrics, and runs baselines on them.

    Nothing is trained or written, and no run's directory is made.

    Args:
        arguments: What follows ``seqlab``.
    """

    explain = staticmethod(explain_baseline)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the baselines to what an experiment has."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--baselines",
            type=dict[str, Baseline],
            default={},
            help="Baselines by name, as {lead: FirstSentence}; a YAML file has them as a rule.",
        )
        parser.add_argument(
            "--metrics",
            type=list[CorpusMetric] | None,
            default=None,
            help="Metrics, as [Accuracy, MacroF1]; those of the config's TextMetrics if not given.",
        )
        parser.add_argument("--split", type=Literal["val", "test"], default="test", help="What they are measured on.")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses; nothing comes from a checkpoint."""
        if not isinstance(args, list):
            raise TypeError("arguments are a list of words")
        self.config = parser.parse_args(configs_first(args))
        settings = self.config[self.config.subcommand]
        check_parts(settings.as_dict())
        if not settings.baselines:
            raise UserError(
                "no baseline is named: add a config with baselines, as --config configs/summarisation/baselines.yaml"
            )

    def before_instantiate_classes(self) -> None:
        """Leaves out what only a training needs."""
        trainer = self.config[self.config.subcommand].trainer
        trainer.logger = False
        trainer.callbacks = [
            each for each in listed(trainer.callbacks) if each and resolve(each.class_path) is TextMetrics
        ]

    def instantiate_classes(self) -> None:
        """Makes data, metrics and baselines."""
        with own_errors():
            LightningCLI.instantiate_classes(self)

    def instantiate_trainer(self, **kwargs: Any) -> Any:  # noqa: ANN401 - LightningCLI's signature
        """None is needed."""
        return None

    def _run_subcommand(self, subcommand: str) -> None:
        """Prints the table."""
        settings = self.config_init[subcommand]
        data = self.datamodule
        if not isinstance(data, ParallelDataModule):
            raise UserError(f"baselines write text, and {type(data).__name__} has none: give data of sentence pairs")
        (measured,) = settings.trainer.callbacks or [TextMetrics()]
        metrics = measured.metrics if settings.metrics is None else settings.metrics
        print(table(data, metrics, settings.baselines, settings.split))


def table(
    data: ParallelDataModule,
    metrics: Sequence[CorpusMetric],
    baselines: dict[str, Baseline],
    split: Literal["val", "test"],
) -> str:
    """Measures baselines.

    Args:
        data: Sentence pairs.
        metrics: Metrics of the table.
        baselines: By name.
        split: What they are measured on.

    Returns:
        Lines: the names of the metrics, a row for each baseline, and the signatures.
    """
    references = data.references(split)
    metrics = [metric.of_corpus(references) for metric in metrics]
    asked = {name for metric in metrics for name in metric.annotations}
    examples = [example(data, split, index, asked) for index in range(len(references))]
    sources, targets = list(data.sources("train")), list(data.references("train"))
    rows = [["", *(f"{split}/{metric.name}" for metric in metrics)]]
    for name, baseline in baselines.items():
        baseline.learn(sources, targets)
        hypotheses = [baseline.write(each.source) for each in examples]
        scores = [
            metric.over(
                [metric.of_example(hypothesis, each) for hypothesis, each in zip(hypotheses, examples, strict=True)]
            )
            for metric in metrics
        ]
        rows.append([name, *(f"{score:.4g}" if abs(score) < 1 else f"{score:.2f}" for score in scores)])
    return "\n".join((*_aligned(rows), *_signatures(rows[0][1:], [metric.signature for metric in metrics])))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the names to the left, the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _signatures(names: Sequence[str], signatures: Sequence[str | None]) -> list[str]:
    return [f"{name}  [{signature}]" for name, signature in zip(names, signatures, strict=True) if signature]


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab baseline``: configs and options, as of ``seqlab test``.

    Returns:
        The exit status, 0.
    """
    import_parts()
    look_in_working_directory()
    with without_lightning_notices():
        BaselineCLI(["test", *arguments])
    return 0
