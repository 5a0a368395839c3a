"""``seqlab tune``: a search over parameters of an experiment, which many jobs can share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.errors import RunFailed
from experiments.config.tool_parser import ToolParser, positive
from experiments.processes.command_pool import TIME_IS_OVER, TimeIsOver, ended_as_with_ctrl_c
from experiments.slurm.array import add_executor_options, for_slurm, run_array
from experiments.storage.outputs import check_outputs
from experiments.storage.shell import command

if TYPE_CHECKING:
    from experiments.tuning.search import Search
    from experiments.tuning.shared_trials import SharedTrials

EPILOG = """\
A search is a YAML file:

  experiment: configs/nmt/dates.yaml         # or a list, as --config takes them
  metric: val/bleu                           # as validation logs it
  mode: max                                  # or min
  parameters:                                # keys as on the command line of seqlab fit
    model.init_args.optimizer.init_args.lr: {low: 0.0001, high: 0.01, log: true}
    model.init_args.dropout: {low: 0.0, high: 0.4, step: 0.1}
    model.init_args.encoder.init_args.cell: {choices: [gru, lstm]}
  options: {trainer.max_epochs: 3}           # of every trial; optional, as all that follows
  pruner: MedianPruner                       # of optuna.pruners, or class_path and init_args; null prunes nothing
  take: best                                 # a trial's value is its best through training, or its last
  panels:                                    # each trial trains on all of these; its value is the mean over them
    Hungarian: {options: {data.init_args.train.tsv: hun_train.tsv, data.init_args.val.tsv: hun_dev.tsv}}
    French: {options: {data.init_args.train.tsv: fre_train.tsv, data.init_args.val.tsv: fre_dev.tsv}}

Each trial is a seqlab fit; the parameters are drawn by Optuna's TPE sampler. The directory gets trials.csv, best.yaml,
runs/ and logs/. The same command, started once more on any machine that sees the directory, joins in; after an end of
any kind it resumes, and trials that were interrupted resume from their last checkpoint.

examples:
  seqlab tune --config configs/tune/dates.yaml --trials 20
  seqlab tune --config configs/tune/multi30k.yaml --storage /shared/multi30k --trials 60 --jobs 2
  seqlab tune --config configs/tune/multi30k.yaml --trials 60 --executor slurm --jobs 8 --gpus-per-task 1
  seqlab fit --config configs/nmt/dates.yaml --config tuning/dates/best.yaml
"""


def main(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: What follows ``seqlab tune``.

    Returns:
        The exit status.

    Raises:
        UserError: The search is wrong, or its storage holds another one.
        RunFailed: Trials failed, and none succeeded.
    """
    given = _parser().parse_args(arguments)
    from experiments.tuning.search import read_search
    from experiments.tuning.shared_trials import SharedTrials
    from experiments.tuning.tuner import Tuner

    search = read_search(given.config)
    directory = given.storage or Path("tuning") / search.name
    _check_files(given.config, search, directory)
    if for_slurm(given):
        words = ["tune", "--config", str(given.config), "--storage", str(directory), "--trials", str(given.trials)]
        run_array(f"tune-{search.name}", [words] * given.jobs, directory, given)
        return 0
    trials = SharedTrials(directory, search)
    tuner = Tuner(trials, given.jobs)
    try:
        with ended_as_with_ctrl_c():
            if not trials.all():
                tuner.check()
            tuner.run(given.trials)
    except TimeIsOver:
        print("seqlab: the job's time will be over: the same command resumes the search", file=sys.stderr)
        return TIME_IS_OVER
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command resumes the search") from None
    _close(trials)
    return 0


def _check_files(config: Path, search: Search, directory: Path) -> None:
    """Refuses a directory whose results would replace what the search reads.

    Raises:
        UserError: They would.
    """
    from experiments.tuning.results import BEST, TRIALS

    if directory.is_dir():
        inputs = [("--config", config), *(("an experiment of the search", Path(each)) for each in search.experiment)]
        for name in (BEST, TRIALS):
            check_outputs(inputs, {"--storage": directory / name})


def _close(trials: SharedTrials) -> None:
    """Says what was found.

    Raises:
        RunFailed: Nothing was.
    """
    from experiments.tuning.results import BEST, TRIALS, write_results

    write_results(trials)
    best, search, every = trials.best(), trials.search, trials.all()
    running = sum(not trial.state.is_finished() for trial in every)
    if running:
        print(f"{running} of {len(every)} trials are under way in other jobs")
    elif best is None:
        raise RunFailed(f"no trial went on to its end; {trials.directory / TRIALS} says why")
    if best is not None:
        print(f"\nbest     trial {best.number}: {search.metric} {best.value:.6g}")
        for key, drawn in best.params.items():
            print(f"         {key}: {search.value_of(key, drawn)}")
        print(f"run      {best.user_attrs['run']}")
    print(f"trials   {trials.directory / TRIALS}")
    if best is not None:
        files = [*map(Path, search.experiment), trials.directory / BEST]
        configs: list[str | Path] = [word for file in files for word in ("--config", file)]
        print(f"config   {trials.directory / BEST}\n\nnext: {command('seqlab', 'fit', *configs)}")


def _parser() -> argparse.ArgumentParser:
    parser = ToolParser(
        prog="seqlab tune",
        description="Searches the parameters with which an experiment does best.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="the search, as below")
    parser.add_argument(
        "--storage",
        type=Path,
        metavar="DIRECTORY",
        help="where the search is kept, for all jobs that share it (default: tuning/NAME, NAME being that of the YAML)",
    )
    parser.add_argument(
        "--trials", type=positive, default=20, help="how many there are in the end, of all jobs together (default: 20)"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        default=1,
        help="trials at once; they share the cores. With --executor slurm, tasks of the array (default: 1)",
    )
    add_executor_options(parser)
    return parser
