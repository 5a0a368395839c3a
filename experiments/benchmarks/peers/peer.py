"""What seqlab is measured against: a toolkit that trains the same model on the same pieces."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import yaml

from datamodules.errors import RunFailed, UserError
from experiments.benchmarks.peers.corpus import PeerCorpus, join_pieces, read_lines, read_pairs, write_lines
from experiments.benchmarks.peers.environment import Environment
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import Report, TrainingSpeed, Translation, check_steps, training_speed

CHECKPOINTS = "checkpoints"
"""The directory in a peer's own that its training writes to."""

TRANSLATED = "translated.source"
"""The file that is translated, without the blank lines of the test source."""


class Peer(ABC):
    """A toolkit in a virtual environment of its own, which is run in processes of its own.

    A subclass tells in its docstring what its toolkit counts as target tokens, and where its model differs from
    :mod:`experiments.benchmarks.peers.recipe`.

    Args:
        directory: Each toolkit has one of its own in it, with all that is installed and written.

    Attributes:
        name: Name of its directory, and its key in the registry.
        title: The toolkit and its version.
        installations: What follows ``pip install``, one after the other.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    installations: ClassVar[Sequence[Sequence[str]]]

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute() / self.name
        self.environment = Environment(self.directory / "environment", self.installations)
        self._hardware: Hardware | None = None
        self._test: list[str] = []

    def prepare(self, corpus: PeerCorpus, hardware: Hardware) -> None:
        """Installs the toolkit, unless it is there, and writes its data. Comes before all else, in each process.

        Args:
            corpus: What it trains on and translates.
            hardware: What trains and translates.

        Raises:
            UserError: The corpus cannot be read, or has no sentence pair.
            RunFailed: The toolkit could not be installed.
        """
        self._test = read_lines(corpus.test_source)
        train = read_pairs(corpus.train_source, corpus.train_target)
        val = read_pairs(corpus.val_source, corpus.val_target)
        self.environment.make()
        self._write_data(train, val, corpus.pieces())
        self._hardware = hardware

    def train(self, steps: int) -> TrainingSpeed:
        """Trains from the beginning, and leaves a checkpoint.

        Args:
            steps: Updates.

        Returns:
            How fast it was, by what the toolkit reports, without the first reports.

        Raises:
            UserError: There are too few steps.
            RunFailed: The toolkit failed, or told no speed.
        """
        check_steps(steps)
        self._require_prepared()
        shutil.rmtree(self.directory / CHECKPOINTS, ignore_errors=True)
        finished = run(self._training(steps), "train")
        return training_speed(self.reports(finished), finished.peak_memory_mib)

    @abstractmethod
    def translate(self, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Translates the test source with the checkpoint that was trained last.

        Args:
            beam_size: Hypotheses that are kept at each step.
            batch_size: Sentences at once.
            sentences: The first lines alone; None for all.

        Returns:
            The translations and the time that they took.

        Raises:
            UserError: Nothing was trained yet.
            RunFailed: The toolkit failed.
        """

    @staticmethod
    @abstractmethod
    def reports(training: Finished) -> list[Report]:
        """What the toolkit told about its speed, in order."""

    @abstractmethod
    def _write_data(
        self, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], pieces: Sequence[str]
    ) -> None:
        """Writes sentence pairs and vocabulary in the toolkit's form."""

    @abstractmethod
    def _training(self, steps: int) -> Command:
        """Writes the config and says what trains."""

    def _command(self, *words: str, variables: Mapping[str, str] | None = None, source: Path | None = None) -> Command:
        """A command in the peer's directory; the first word is a program of its virtual environment.

        Args:
            *words: The program's name, and its arguments.
            variables: Added to the environment.
            source: What it reads as standard input.
        """
        hardware = self._require_prepared()
        program, *arguments = words
        return Command(
            [self.environment.program(program), *arguments], self.directory, hardware, variables or {}, source
        )

    def _require_prepared(self) -> Hardware:
        """What it runs on.

        Raises:
            RuntimeError: :meth:`prepare` was not called.
        """
        if self._hardware is None:
            raise RuntimeError("prepare() comes first")
        return self._hardware

    def _checkpoint(self, pattern: str) -> Path:
        """The newest checkpoint.

        Args:
            pattern: Glob pattern of its name.

        Raises:
            UserError: There is none.
        """
        self._require_prepared()
        found = sorted((self.directory / CHECKPOINTS).glob(pattern), key=lambda path: path.stat().st_mtime)
        if not found:
            raise UserError(f"{self.title} has no checkpoint in {self.directory}: train it first")
        return found[-1]

    def _source(self, sentences: int | None) -> Path:
        """Writes the lines that are translated: blank ones are not, some toolkits drop them and others fail."""
        path = self.directory / TRANSLATED
        write_lines(path, (line for line in self._test[:sentences] if line.strip()))
        return path

    def _hypotheses(self, pieces: Sequence[str], sentences: int | None) -> list[str]:
        """One hypothesis for each line that is translated; of a blank line a blank one.

        Args:
            pieces: Those that the toolkit wrote, with a space between them.
            sentences: As :meth:`translate` takes it.

        Raises:
            RunFailed: It wrote too few or too many.
        """
        lines = self._test[:sentences]
        wanted = sum(bool(line.strip()) for line in lines)
        if len(pieces) != wanted:
            raise RunFailed(f"{self.title} wrote {len(pieces)} translations of {wanted} sentences")
        rest = iter(pieces)
        return [join_pieces(next(rest)) if line.strip() else "" for line in lines]

    def _write_config(self, name: str, config: Mapping[str, object]) -> None:
        """Writes a YAML file into the peer's directory."""
        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        (self.directory / name).write_text(text, encoding="utf-8")
