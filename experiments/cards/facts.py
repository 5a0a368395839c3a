"""What is known of a checkpoint: from its file, and from the files of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from datamodules.errors import UserError
from datamodules.tokenizers import Tokenizer
from experiments.callbacks.text_metrics import SIGNATURES
from experiments.checkpoints.quantising import is_quantised, restored
from experiments.checkpoints.reading import load_archive
from experiments.checkpoints.saved_tokenizers import CONTENT, copies_unknown, restore_tokenizers, saved_state
from experiments.checkpoints.trained_model import trained_model
from experiments.config.class_paths import DATA_HYPERPARAMETERS
from experiments.storage.layout import CONFIG, METRICS, RECORD, run_of
from experiments.storage.metrics_table import read_metrics
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


@dataclass(frozen=True)
class Score:
    """A metric that a validation or a test of the checkpoint logged.

    Attributes:
        name: As ``test/bleu``.
        value: As it was logged.
        signature: sacreBLEU's; None where the metric has none.
    """

    name: str
    value: float
    signature: str | None

    @property
    def split(self) -> str:
        """``val`` or ``test``."""
        return self.name.partition("/")[0]

    @property
    def kind(self) -> str:
        """What is measured, as ``bleu``."""
        return self.name.partition("/")[2]


@dataclass(frozen=True)
class Facts:
    """What a card is written from; nothing in it is from elsewhere.

    Attributes:
        name: Of the experiment, else of the file.
        file: Name of the checkpoint.
        model: Hyperparameters of the model.
        data: Those of the data; empty where the checkpoint does not say.
        contents: Hash (hex) of each split.
        tokenizers: Of source and target.
        copies_unknown: Whether what the vocabulary lacks is copied.
        parameters: Number of trained values.
        updates: Steps of the optimizer.
        epoch: The last epoch, counted from 0.
        averaged_from: The checkpoints that it is an average of; none for none.
        config: The run's resolved config; empty where there is no run.
        config_text: The same as the file has it.
        record: What the run recorded; empty where there is no run.
        scores: What was measured of it.
        alike: Checkpoints of the run with other weights and as many updates: tests of theirs are not told from its own.
    """

    name: str
    file: str
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    contents: Mapping[str, str]
    tokenizers: tuple[Tokenizer, Tokenizer]
    copies_unknown: bool
    parameters: int
    updates: int
    epoch: int
    averaged_from: tuple[str, ...]
    config: Mapping[str, Any]
    config_text: str | None
    record: Mapping[str, Any]
    scores: tuple[Score, ...]
    alike: tuple[str, ...]

    @property
    def seed(self) -> int | None:
        """The seed of the training; None where no file says it."""
        seeds = (self.config.get("seed_everything"), self.data.get("seed"))
        return next((seed for seed in seeds if isinstance(seed, int) and not isinstance(seed, bool)), None)

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any], path: Path) -> Facts:
        """Collects them.

        Args:
            checkpoint: As read.
            path: Where it was read; a run is looked for around it.

        Raises:
            UserError: The checkpoint does not translate, or is damaged.
        """
        model = trained_model(
            checkpoint, path, TokenEncoderDecoder, "which does not translate: cards are of encoder-decoders"
        )
        try:
            tokenizers = restore_tokenizers(checkpoint)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        run = run_of(path)
        config_text = _text(run, CONFIG)
        config = _mapping(yaml.safe_load(config_text or ""))
        contents = (saved_state(checkpoint) or {}).get(CONTENT)
        averaged = tuple(checkpoint.get("averaged_from", ()))
        updates = int(checkpoint.get("global_step", 0))
        alike = () if run is None else _alike(path, updates)
        return cls(
            name=str(config.get("experiment") or path.stem),
            file=path.name,
            model=checkpoint["hyper_parameters"],
            data=checkpoint.get(DATA_HYPERPARAMETERS) or {},
            contents={split: digest for split, digest in _mapping(contents).items() if isinstance(digest, str)},
            tokenizers=tokenizers,
            copies_unknown=copies_unknown(checkpoint),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            updates=updates,
            epoch=int(checkpoint.get("epoch", 0)),
            averaged_from=averaged,
            config=config,
            config_text=config_text,
            record=_mapping(json.loads(_text(run, RECORD) or "{}")),
            scores=() if run is None or _is_derived(checkpoint) else _scores(run, updates, is_alone=not alike),
            alike=alike,
        )


def _is_derived(checkpoint: Mapping[str, Any]) -> bool:
    """Whether no training had these weights: they are an average, or of eight bits."""
    return bool(checkpoint.get("averaged_from")) or is_quantised(checkpoint)


def _alike(path: Path, updates: int) -> tuple[str, ...]:
    """The names of the averages and quantised copies beside a checkpoint that have as many updates."""
    names = []
    for other in sorted(path.parent.glob("*.ckpt")):
        if other.resolve() != path.resolve():
            try:
                content = load_archive(other)
                content = restored(content, other) if isinstance(content, dict) else {}
            except UserError:  # what cannot be read has not been tested
                continue
            if content.get("global_step") == updates and _is_derived(content):
                names.append(other.name)
    return tuple(names)


def _scores(run: Path, updates: int, is_alone: bool) -> tuple[Score, ...]:
    """What was logged of the weights after so many updates: of each metric the last.

    An average, or a quantised copy, has the updates of the checkpoint that it was made from, so that nothing tells its
    scores from theirs. Where there is one, what counts is the first validation, which is the training's own, and no
    test.

    Args:
        run: The run's directory.
        updates: Steps of the optimizer.
        is_alone: Whether there are no other weights with as many.
    """
    if not (run / METRICS).is_file():
        return ()
    signatures = _mapping(json.loads(_text(run, SIGNATURES) or "{}"))
    found = []
    for name, logged in sorted(read_metrics(run / METRICS).items()):
        own = [each.value for each in logged if each.step == updates - 1]  # the table counts updates from 0
        if name.startswith(("val/", "test/") if is_alone else "val/") and own:
            found.append(Score(name, own[-1 if is_alone else 0], signatures.get(name)))
    return tuple(found)


def _text(run: Path | None, name: str) -> str | None:
    """A file of the run; None where there is none."""
    if run is None or not (run / name).is_file():
        return None
    return (run / name).read_text(encoding="utf-8")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
