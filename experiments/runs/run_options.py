"""The options of ``seqlab fit`` and its like, beside those of model, data and trainer, and what their help says."""

from __future__ import annotations

from lightning.pytorch.cli import LightningArgumentParser

from datamodules.batch import Split

HELP = {
    "ckpt_path": "fit: the checkpoint to resume from. Else: the one to measure; best if none is given. A file, the "
    "directory of a run (fit: its last), or best, last or averaged, of the experiment's newest run. With last, fit "
    "begins where no checkpoint is yet, so that the same command resumes a training whenever it was stopped.",
    "weights_only": "Without effect: of a checkpoint, tensors and plain values are all that is ever read.",
}
"""What Lightning's options mean here."""

DESCRIPTIONS = {
    "fit": "Trains the experiment of a config. Model, data and trainer are what the config says; options after it "
    "change that, as --model.init_args.dropout 0.2 or --trainer.max_epochs 3. The run gets a directory of its own, "
    "runs/EXPERIMENT/VERSION/, with its config, metrics, figures and checkpoints. Example: seqlab fit --config "
    "configs/nmt/dates.yaml",
    "validate": "Measures a checkpoint on the validation set of its run's config, or of one that is given. Example: "
    "seqlab validate --ckpt_path runs/dates/1",
    "test": "Measures a checkpoint on the test set of its run's config, or of one that is given. Example: seqlab test "
    "--ckpt_path runs/dates/1",
    "predict": "Writes what a checkpoint predicts for the test set of its run's config, or for other data, beside the "
    "sources and the references. Example: seqlab predict --ckpt_path runs/dates/1 --split val",
}
"""What a subcommand does, for the head of its ``--help``."""

TITLES = {
    "model": "The model",
    "data": "The data",
    "trainer": "Lightning's Trainer",
    "optimizer": "The optimizer",
    "lr_scheduler": "The schedule of the learning rate",
}
"""Titles of groups of options, for ``--help``: else each has the first words of its class."""


def add_run_options(parser: LightningArgumentParser) -> None:
    """Adds what an experiment has beside model, data and trainer.

    Args:
        parser: Of a subcommand.
    """
    parser.add_argument(
        "--experiment", type=str, default="unnamed", help="Name of the experiment: its runs are in runs/NAME/."
    )
    parser.add_argument(
        "--version",
        type=str | None,
        default=None,
        help="fit: the name of the run's directory in runs/EXPERIMENT/. Where it has a last checkpoint already, "
        "training resumes from that one, whatever --ckpt_path says: the same command, given again after whatever "
        "stopped it, resumes the same run.",
    )
    parser.add_argument(
        "--trust",
        type=str | list[str],
        default=[],
        help="A package, or a list of them, whose classes a checkpoint may name, beside seqlab's and torch's own, "
        "and beside the packages of the classes that this command's configs and options name.",
    )
    parser.add_argument(
        "--init_from",
        type=str | None,
        default=None,
        help="fit: a checkpoint, or the directory of a run, to begin with (fine-tuning, on other text too): the "
        "model has its weights, the data its tokenizers, nothing else is taken from it. Without effect where "
        "--ckpt_path finds a checkpoint to resume from.",
    )
    parser.add_argument(
        "--extend_vocabulary",
        action="store_true",
        help="fit: with --init_from, add ids for the words or characters of the training data that the "
        "checkpoint's vocabulary lacks; the others keep theirs, and their weights.",
    )


def add_prediction_options(parser: LightningArgumentParser) -> None:
    """Adds what ``seqlab predict`` has alone.

    Args:
        parser: Its own.
    """
    parser.add_argument(
        "--output",
        type=str | None,
        default=None,
        help="The file of the predictions; if not given, predictions.tsv in the run's directory.",
    )
    parser.add_argument(
        "--split",
        type=Split,
        default="test",
        help="Which of the data is predicted: test, val or train. For another file, name it in place of the test's: "
        "--data.init_args.test.tsv FILE.",
    )


def explain_options(parser: LightningArgumentParser, subcommand: str) -> None:
    """Says what a subcommand does, what Lightning's options mean here, and what the groups of options are of.

    Args:
        parser: Of a subcommand, complete.
        subcommand: Its name.
    """
    parser.usage = f"seqlab {subcommand} [--config FILE] [OPTION VALUE]..."
    parser.description = DESCRIPTIONS[subcommand]
    for action in parser._actions:
        action.help = HELP.get(action.dest, action.help)
    for name, group in (parser.groups or {}).items():
        group.title = TITLES.get(name, f"Lightning's Trainer, {subcommand}")
