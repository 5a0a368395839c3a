"""Which runs a study has, and the command of each."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datamodules.errors import UserError, suggest
from experiments.config.given_values import typed
from experiments.config.shipped_configs import find_config
from experiments.storage.layout import CHECKPOINTS, CONFIG, RUNS
from experiments.studies.study import Change, Metric, Panel, Study, Training, directory_of, merged, panels_of, slug

Key = tuple[str, str, int]
"""Panel, variant and seed: what tells one run of a study from the others."""


@dataclass(frozen=True)
class PlannedRun:
    """One training of a study.

    Attributes:
        panel: Its comparison; empty where the study has only one.
        variant: Which of those that are compared.
        seed: Seed of everything that is random in it.
        words: What is typed after ``seqlab``.
        configs: A hash of the config files that the words name, and of all of its start: with other content they are
            another run.
        metrics: What is measured of it.
        parent: The directory in which its run directory is made.
        checkpoint: Which checkpoint is tested.
        start: The run with whose weights it begins; None where it begins with weights of its own.
    """

    panel: str
    variant: str
    seed: int
    words: tuple[str, ...]
    configs: str
    metrics: tuple[Metric, ...]
    parent: Path
    checkpoint: str
    start: PlannedRun | None = None

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.panel, self.variant, self.seed

    @property
    def title(self) -> str:
        """What people read of it."""
        return " ".join(word for word in (self.panel, self.variant, f"seed {self.seed}") if word)

    @property
    def command(self) -> str:
        """What a person types to have the same run; for one that has a start, but for its weights."""
        return self.command_from("")

    def words_from(self, checkpoint: str) -> tuple[str, ...]:
        """What is typed after ``seqlab``.

        Args:
            checkpoint: The weights that it begins with; empty for none.
        """
        return (*self.words, "--init_from", checkpoint) if checkpoint else self.words

    def command_from(self, checkpoint: str) -> str:
        """What a person types to have the same run; see :meth:`words_from`."""
        return shlex.join(["seqlab", *self.words_from(checkpoint)])

    @property
    def columns(self) -> list[str]:
        """The names of what is measured of it."""
        return [metric.column(place) for metric in self.metrics for place in metric.places]

    def test_words(self, run: Path) -> tuple[str, ...]:
        """What is typed after ``seqlab`` to test it; nothing where no metric is of a test.

        Args:
            run: Its run directory.
        """
        if all(metric.is_of_training for metric in self.metrics):
            return ()
        checkpoint = run / CHECKPOINTS / f"{self.checkpoint}.ckpt"
        return ("test", "--config", str(run / CONFIG), "--ckpt_path", str(checkpoint))


def study_directory(root: Path, study: Study, preset: str) -> Path:
    """Where a study keeps everything.

    Args:
        root: Where studies are kept.
        study: The study.
        preset: Its size.
    """
    return root / slug(study.name) / slug(preset)


def planned_runs(study: Study, preset: str, seeds: Sequence[int], directory: Path) -> list[PlannedRun]:
    """The runs of a study: all with the first seed before any with the second, and starts before what begins from them.

    Args:
        study: The study.
        preset: Its size.
        seeds: The same for all variants.
        directory: The study's own.

    Raises:
        UserError: There is no such preset, or a config file cannot be read.
    """
    if preset not in study.presets:
        raise UserError(f"study '{study.name}' has no preset '{preset}': {suggest(preset, study.presets)}")
    return [
        planned
        for seed in seeds
        for panel in panels_of(study).items()
        for planned in _of_panel(study, preset, panel, seed, directory)
    ]


def chains_of(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Runs in groups that can be made apart: those that begin from a start, after it; and each other one alone.

    Args:
        runs: From :func:`planned_runs`.
    """
    chains: dict[Key, list[PlannedRun]] = {}
    for planned in runs:
        chains.setdefault((planned.start or planned).key, []).append(planned)
    return list(chains.values())


def _of_panel(
    study: Study, preset: str, named_panel: tuple[str, Panel], seed: int, directory: Path
) -> Iterator[PlannedRun]:
    """The runs of a panel with a seed, those of the starts that it needs first."""
    _, panel = named_panel
    needed = {variant.init_from for variant in panel.variants.values()}
    starts = {
        name: replace(_planned(study, preset, named_panel, name, start, seed, directory), metrics=())
        for name, start in panel.starts.items()
        if name in needed
    }
    yield from starts.values()
    for name, variant in panel.variants.items():
        planned = _planned(study, preset, named_panel, name, variant, seed, directory)
        if variant.init_from:
            start = starts[variant.init_from]
            digest = hashlib.sha256("\0".join((planned.configs, start.configs, *start.words)).encode())
            planned = replace(planned, start=start, configs=digest.hexdigest()[:12])
        yield planned


def _planned(
    study: Study,
    preset: str,
    named_panel: tuple[str, Panel],
    variant: str,
    training: Training,
    seed: int,
    directory: Path,
) -> PlannedRun:
    panel_name, panel = named_panel
    change = merged(panel, panel.presets[preset], training, training.presets.get(preset, Change()))
    experiment = f"{directory_of(panel_name, variant)}-seed{seed}"
    options = {
        **change.options,
        "experiment": experiment,
        "seed_everything": seed,
        "trainer.default_root_dir": str(directory / RUNS),
    }
    configs = [word for config in change.configs for word in ("--config", config)]
    said = [word for name, value in options.items() for word in (f"--{name}", typed(value))]
    return PlannedRun(
        panel=panel_name,
        variant=variant,
        seed=seed,
        words=("fit", *configs, *said),
        configs=hash_of(change.configs),
        metrics=tuple(metric for metric in panel.metrics if variant not in metric.without),
        parent=directory / RUNS / experiment,
        checkpoint=study.checkpoint,
    )


def hash_of(configs: Sequence[str]) -> str:
    """A hash of what config files hold.

    Raises:
        UserError: One cannot be read.
    """
    digest = hashlib.sha256()
    for config in configs:
        try:
            content = find_config(Path(config)).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the config {config}: {error.strerror}") from error
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:12]
