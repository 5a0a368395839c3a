"""``seqlab fit``, ``validate``, ``test`` and ``predict``: LightningCLI, with a directory for each run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, _InstantiatorFn
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from datamodules.corpora.parallel import ParallelDataModule
from datamodules.errors import UserError
from experiments.callbacks.checkpoints import LastCheckpoints
from experiments.callbacks.curve_figures import CurveFigures
from experiments.callbacks.divergence import Divergence
from experiments.callbacks.pretrained_embeddings import leave_out_pretrained
from experiments.callbacks.throughput import Throughput
from experiments.callbacks.unchanged_text import UnchangedText
from experiments.checkpoints.checkpoint_io import AtomicCheckpointIO
from experiments.checkpoints.checkpoint_names import name_plainly
from experiments.checkpoints.initial_weights import load_initial_weights
from experiments.checkpoints.new_symbols import begin_with_vocabulary
from experiments.checkpoints.reading import check_resumable, read_checkpoint
from experiments.checkpoints.saved_config import check_same_parts, check_same_seed, saved_config, with_config
from experiments.checkpoints.saved_data import SavedData, checkpoint_parts
from experiments.config.class_paths import packages_to_trust, resolve, trusted_by
from experiments.config.known_classes import import_parts
from experiments.config.links import LINKED, check_links
from experiments.config.own_modules import look_in_working_directory, own_errors, where
from experiments.config.parser import ConfigFile, OneLineErrorParser
from experiments.config.part_checks import check_parts
from experiments.config.trainer_ranges import check_precision, check_seed, check_trainer_ranges
from experiments.loggers.packages import check_packages
from experiments.processes.agreement import leave_shared_store, started_by_torchrun
from experiments.resume.fit_loop import go_on_exactly
from experiments.resume.handover import Handover
from experiments.resume.positional_seeds import PositionalSeeds
from experiments.resume.progress import training_progress
from experiments.resume.signals import in_job
from experiments.resume.step_count import StepCount
from experiments.resume.truncate_checkpoints import TruncateCheckpoints
from experiments.resume.truncate_metrics import TruncateMetrics
from experiments.runs.closing import closing_lines
from experiments.runs.copied_symbols import check_copied_symbols
from experiments.runs.ending import ending
from experiments.runs.given_configs import configs_first, decided_by, with_config_of_run
from experiments.runs.lightning_notices import without_lightning_notices
from experiments.runs.monitors import check_monitors
from experiments.runs.out_of_memory import CurrentBatch
from experiments.runs.output_directories import direct_outputs, listed
from experiments.runs.precisions import take_frozen_batches
from experiments.runs.prediction import check_prediction_output, choose_split, direct_predictions
from experiments.runs.profilers import finished_report, with_dearest
from experiments.runs.resuming import check_epochs, chosen_checkpoint, keeps_training_state
from experiments.runs.run_options import add_prediction_options, add_run_options, explain_options
from experiments.runs.run_record import RunRecord
from experiments.storage.layout import CHECKPOINTS, LAST_CHECKPOINT, RUNS, find_checkpoint, run_of
from experiments.storage.predictions_table import PREDICTIONS
from experiments.storage.run_directory import alone_in, new_run
from experiments.storage.shell import shown
from lightning_modules.training.step_loss import StepLossModule

TRUST = re.compile(r"^--trust(?==|$)")
"""An option that may be given several times: each adds to what the others trust."""

LOGGERS = [
    {"class_path": "experiments.loggers.MetricsCSV"},
    {"class_path": "experiments.loggers.RunWandbLogger"},
]


class SeqlabCLI(LightningCLI):
    """Reads configs and command line, makes the run's directory, and starts the trainer.

    Args:
        arguments: What follows ``seqlab``, the subcommand first.
        callbacks: What the trainer has beside those of every run.
    """

    trainer_type: type[L.Trainer] = L.Trainer
    explain = staticmethod(explain_options)

    def __init__(self, arguments: list[str], callbacks: Sequence[Callback] = ()) -> None:
        self._command = arguments[0] if arguments else ""
        self._typed = shlex.join(["seqlab", *arguments])
        self._further_callbacks = callbacks
        self.run_directory = Path()
        self._begun_run: Path | None = None
        self._parent = os.getppid()
        self._saved_data: SavedData | None = None
        self._trusted: list[str] = []
        self._to_trust: list[str] = []
        self._trial_directory: TemporaryDirectory[str] | None = None
        super().__init__(
            L.LightningModule,
            L.LightningDataModule,
            trainer_class=self.trainer_type,
            parser_class=OneLineErrorParser,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=RunRecord,
            save_config_kwargs={"command": self._typed},
            seed_everything_default=1,
            trainer_defaults={"use_distributed_sampler": False, "logger": LOGGERS},
            args=arguments,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # Lightning asks each instance
        """That which was typed: to make parsers of the others takes a quarter of what it takes to read a command."""
        known = LightningCLI.subcommands()
        return {self._command: known[self._command]} if self._command in known else known

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:  # noqa: ANN401 - LightningCLI's signature
        """Lightning's, which also finds the configs that come with seqlab."""
        kwargs.setdefault("dump_header", [f"lightning.pytorch=={L.__version__}"])
        parser = self.parser_class(**kwargs)
        parser.add_argument("-c", "--config", action=ConfigFile, help="A YAML file; of several, later ones win.")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what an experiment has beside model, data and trainer."""
        add_run_options(parser)
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.init_args.seed")

    def _prepare_subcommand_parser(
        self,
        klass: type,
        subcommand: str,
        **kwargs: Any,  # noqa: ANN401 - LightningCLI's signature
    ) -> LightningArgumentParser:
        """Lightning's, with our own help for the options that mean something else here."""
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "predict":
            add_prediction_options(parser)
        self.explain(parser, subcommand)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses; what a checkpoint says of the model wins over config files, and the command line over both.

        What the checkpoint keeps of its data is held until the data module is made.
        """
        if not isinstance(args, list):
            raise TypeError("arguments are a list of words")
        given = configs_first(args)
        args = with_config_of_run(given)
        try:
            self.config = parser.parse_args(args)
        except SystemExit as left:
            if place := where(left):  # --help and --print_config leave so as well
                raise UserError(f"a module that this command names ended it when it was imported ({place})") from left
            raise
        if "subcommand" not in self.config or self.config.subcommand is None:
            raise UserError("say what to do: seqlab fit, validate, test or predict")
        settings = self.config[self.config.subcommand]
        check_seed(settings.seed_everything)
        if decision := decided_by([Path(str(path)) for path in settings.config or [] if path is not None]):
            rank_zero_info(f"seqlab: warning: {decision}")
        check_parts(settings.as_dict())
        # What a run's directory brings grants nothing: it may come from elsewhere.
        named = trusted_by(settings.as_dict()) if args == given else []
        self._trusted = trusted = [*listed(settings.trust), *named]
        is_named = settings.ckpt_path != "last" and settings.get("version") is None
        checkpoint, self._begun_run = chosen_checkpoint(self.config.subcommand, settings)
        if checkpoint is not None:
            content = read_checkpoint(checkpoint, trusted)
            if self.config.subcommand == "fit":
                check_resumable(content, checkpoint)
                check_epochs(content, settings.trainer.max_epochs)
            check_same_parts(settings, content, checkpoint, self.config.subcommand)
            self._progress = training_progress(content)
            self.config = parser.parse_args(with_config(args, saved_config(content, self.config.subcommand)))
            settings = self.config[self.config.subcommand]
            if self.config.subcommand == "fit":
                check_same_seed(settings, content, checkpoint, is_named)
            settings.ckpt_path = str(checkpoint)
            self._saved_data = SavedData.of(content, f"--ckpt_path {checkpoint}")
        else:
            settings.ckpt_path = None
            if self.config.subcommand == "fit" and settings.extend_vocabulary and settings.init_from is None:
                raise UserError("--extend_vocabulary extends that of a checkpoint: add --init_from, or leave it out")
            if self.config.subcommand == "fit" and settings.init_from is not None:
                initial = find_checkpoint(Path(settings.init_from))
                settings.init_from = str(initial)
                self._saved_data = SavedData.of(read_checkpoint(initial, trusted), f"--init_from {initial}")
        if self.config.subcommand == "predict":
            settings.return_predictions = False  # PredictionWriter keeps them

    def _parse_ckpt_path(self) -> None:
        """LightningCLI's own way, in which a checkpoint beats the command line, is replaced by parse_arguments."""

    def _add_instantiators(self) -> None:
        """Lightning's, with one of our own for the data."""
        super()._add_instantiators()
        self.parser.add_instantiator(self._instantiate_data, L.LightningDataModule)

    def _dump_config(self) -> None:
        """Lightning's, without checking once more what was parsed: that takes longer than all the rest of it."""
        if not hasattr(self, "config_dump"):
            dumped = self.parser.dump(self.config, skip_link_targets=False, skip_unset=False, skip_validation=True)
            self.config_dump = yaml.safe_load(dumped)[self.config.subcommand]

    def _instantiate_data(
        self,
        class_type: type[L.LightningDataModule],
        *args: Any,  # noqa: ANN401 - jsonargparse's signature
        applied_instantiation_links: dict[str, Any],
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> L.LightningDataModule:
        """Makes the data module, and gives it a checkpoint's tokenizers before the model asks for vocabulary sizes.

        Lightning gives them back as well, but only when the model is made.
        """
        make = _InstantiatorFn(cli=self, key="data")
        data = make(class_type, *args, applied_instantiation_links=applied_instantiation_links, **kwargs)
        if self._saved_data is not None:
            if self.subcommand == "fit" and self.config[self.subcommand].ckpt_path is not None:
                self._saved_data.check_same_tokenizers(data)
                self._saved_data.check_same_content(data)
            begins = self.config[self.subcommand].ckpt_path is None
            self._saved_data.restore(data, fine_tunes=begins)
            if begins:
                extends = self.config[self.subcommand].extend_vocabulary
                begin_with_vocabulary(data, self._saved_data.origin, extends)
        return data

    def before_instantiate_classes(self) -> None:
        """Makes the run's directory, and tells it to the trainer, the loggers and the checkpoint callbacks.

        ``--trainer.fast_dev_run`` tries whether everything runs: its directory is a temporary one, so that it leaves no
        version behind that ``--ckpt_path last`` would take for a training, and writes nothing into a run that there is.
        """
        self._given = self.config.clone()
        self._given[self.config.subcommand].ckpt_path = None
        self._given[self.config.subcommand].version = None
        settings = self.config[self.config.subcommand]
        check_links(resolve(settings.model.class_path), resolve(settings.data.class_path))
        if self.config.subcommand == "fit":
            check_precision(settings.trainer.precision)
            check_trainer_ranges(settings.trainer)
        trainer = settings.trainer
        check_packages(listed(trainer.logger))
        trainer.profiler = with_dearest(trainer.profiler)
        given = settings.ckpt_path
        known = run_of(Path(given)) if given and settings.version is None else None
        root = Path(trainer.default_root_dir or RUNS)
        if trainer.fast_dev_run:
            self._trial_directory = TemporaryDirectory(prefix="seqlab-")
            known, root, self._begun_run = None, Path(self._trial_directory.name), None
        self.run_directory = known or self._new_run(root, settings.experiment, settings.version)
        if started_by_torchrun():
            leave_shared_store()
        direct_outputs(trainer, self.run_directory)
        if self.config.subcommand == "predict" and settings.output is not None:
            direct_predictions(listed(trainer.callbacks), settings.output)

    def _new_run(self, root: Path, experiment: str, version: str | None) -> Path:
        return new_run(root, experiment, version, self._begun_run, self._typed)

    def instantiate_classes(self) -> None:
        """Makes data, model and trainer, reads the validation text and checks monitors, before anything is written.

        Where that fails, nothing is left of the run's new directory.
        """
        try:
            with own_errors():
                super().instantiate_classes()
            check_copied_symbols(self.model, self.datamodule)
            if self.subcommand == "predict":
                asked = self.config_init["predict"]
                choose_split(self.datamodule, asked.split)
                if asked.output is not None:
                    check_prediction_output(self.datamodule, asked.ckpt_path, asked.output)
            if self.subcommand == "fit" and isinstance(self.model, StepLossModule):
                self.model.check_optimizer()
            if self.subcommand == "fit":
                check_monitors(self.trainer, self.model)
            if self.subcommand == "fit" and self.trainer.checkpoint_callbacks:
                self._to_trust = self._packages_to_trust()
            if self.subcommand == "fit" and isinstance(self.datamodule, ParallelDataModule):
                self.datamodule.references("val")
        except BaseException as error:
            with suppress(OSError):  # a run that was there before is not empty
                self.run_directory.rmdir()
            # What a part of Lightning's refuses.
            if not isinstance(error, UserError) and isinstance(error.__cause__, MisconfigurationException):
                raise UserError(" ".join(str(error.__cause__).split())) from error
            raise

    def _packages_to_trust(self) -> list[str]:
        """The packages that a command has to trust which reads a checkpoint of this run alone.

        Raises:
            UserError: No command could read one.
        """
        try:
            return packages_to_trust(checkpoint_parts(self.model, self.datamodule))
        except UserError as error:
            raise UserError(f"no command could read the checkpoints of this run: a checkpoint that {error}") from error

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:  # noqa: ANN401 - LightningCLI's signature
        """Makes the trainer, with what every run has: atomic checkpoints, an exact resume, speed and figures."""
        self.config = self._given  # what config.yaml will hold: it repeats the run in a directory of its own
        settings = self.config_init[self.subcommand].trainer
        is_named = self._begun_run is None and self.config_init[self.subcommand].get("version") is None
        callbacks: list[Callback] = [
            PositionalSeeds(self._get(self.config, "seed_everything")),
            Throughput(),
            TruncateMetrics(),
            TruncateCheckpoints(is_named),
            StepCount(),
            UnchangedText(),
            CurrentBatch(),
            Divergence(),
        ]
        if self.subcommand == "fit":
            callbacks.insert(0, Handover(self.run_directory / CHECKPOINTS / LAST_CHECKPOINT))
        if settings.logger:
            callbacks.append(CurveFigures())
        if settings.enable_checkpointing is not False and not keeps_training_state(settings):
            callbacks.append(LastCheckpoints())
        callbacks += self._further_callbacks
        self.trainer_defaults["callbacks"] = callbacks
        plugins = [plugin for plugin in listed(settings.plugins) if plugin is not None]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(AtomicCheckpointIO())
        try:
            trainer = super().instantiate_trainer(plugins=plugins, **kwargs)
        except (TypeError, ValueError, ImportError, MisconfigurationException) as error:
            raise UserError(f"trainer: {' '.join(str(error).split())} (seqlab fit --help tells its options)") from error
        go_on_exactly(trainer)
        name_plainly(trainer, self.run_directory / CHECKPOINTS)
        take_frozen_batches(trainer)
        return trainer

    def before_fit(self) -> None:
        """Gives the model its initial weights, where ``--init_from`` names them."""
        settings = self.config_init[self.subcommand]
        if settings.init_from is not None and settings.ckpt_path is None:
            load_initial_weights(self.model, Path(settings.init_from), self._trusted, settings.extend_vocabulary)
            leave_out_pretrained(self.trainer)

    def before_validate(self) -> None:
        """Begins to count where the checkpoint's training stood: at that step the metrics are logged."""
        self.trainer.fit_loop.load_state_dict(self._progress)

    def before_test(self) -> None:
        """Begins to count where the checkpoint's training stood: at that step the metrics are logged."""
        self.trainer.fit_loop.load_state_dict(self._progress)

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs, and tells what ended it."""
        trains = subcommand == "fit" and self.trainer.is_global_zero
        is_named = self.config_init[subcommand].get("version") is not None
        otherwise = "give another --version" if is_named or in_job() else "start without --ckpt_path"
        sole: AbstractContextManager[None] = alone_in(self.run_directory, otherwise) if trains else nullcontext()
        last = self.run_directory / CHECKPOINTS / LAST_CHECKPOINT
        try:
            with ending(self.trainer, last, self._parent, tries=self._trial_directory is not None), sole:
                super()._run_subcommand(subcommand)
        finally:
            report = finished_report(self.trainer)
            if report is not None and self._trial_directory is None and self.trainer.is_global_zero:
                print(f"\nprofile          {shown(report)}")
            if self._trial_directory is not None:
                self._trial_directory.cleanup()

    def after_predict(self) -> None:
        """Says where the predictions are."""
        given = self.config_init[self.subcommand].output
        path = self.run_directory / PREDICTIONS if given is None else Path(given)
        if self._trial_directory is None and self.trainer.is_global_zero and path.is_file():
            print(f"\npredictions      {shown(path)}")

    def after_fit(self) -> None:
        """Says where everything is, and what to type next."""
        if self._trial_directory is None and self.trainer.is_global_zero:
            print(closing_lines(self.run_directory, self.trainer, self.model, self._to_trust))


def main(arguments: list[str], callbacks: Sequence[Callback] = ()) -> int:
    """Runs a subcommand of LightningCLI.

    Args:
        arguments: What follows ``seqlab``, the subcommand first.
        callbacks: What the trainer has beside those of every run.

    Returns:
        The exit status, 0.
    """
    import_parts()
    look_in_working_directory()
    with without_lightning_notices():
        SeqlabCLI([TRUST.sub("--trust+", word) for word in arguments], callbacks)
    return 0
