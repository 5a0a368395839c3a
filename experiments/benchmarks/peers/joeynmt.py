"""JoeyNMT, a toolkit for neural machine translation that is written to be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datamodules.batch import SPECIAL_PIECES
from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.corpus import write_splits
from experiments.benchmarks.peers.peer import CHECKPOINTS, Peer
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import Report, Translation, log_time, search_seconds, told_reports

REPORT = re.compile(
    r"^(?P<time>[\d-]+ [\d:,]+) - INFO - joeynmt\.training - Epoch .*, Step: +(?P<step>\d+), .*"
    r"Tokens per Sec: +(?P<speed>\d+),",
    re.MULTILINE,
)
SEARCH = re.compile(r"Generation took ([\d.]+)\[sec\]")

_SIDE: dict[str, object] = {"level": "word", "max_length": -1, "lowercase": False, "voc_file": "vocabulary.txt"}
"""The pieces are words to it."""

_PIECES = dict(zip(("pad", "bos", "eos", "unk"), SPECIAL_PIECES, strict=True))

_DATA: dict[str, object] = {
    "train": "train",
    "dev": "val",
    "dataset_type": "plain",
    "src": {"lang": "source", **_SIDE},
    "trg": {"lang": "target", **_SIDE},
    "special_symbols": {
        f"{symbol}_{what}": value
        for number, symbol in enumerate(("unk", "pad", "bos", "eos"))  # the order in which it puts them first
        for what, value in (("token", _PIECES[symbol]), ("id", number))
    },
}

_MODEL: dict[str, object] = {
    "initializer": "xavier_uniform",
    "init_gain": 1.0,
    "bias_initializer": "zeros",
    "embed_initializer": "normal",
    "embed_init_weight": 0.1,
    "encoder": {
        "type": "recurrent",
        "rnn_type": "lstm",
        "embeddings": {"embedding_dim": recipe.EMBEDDING_SIZE, "dropout": recipe.DROPOUT},
        "hidden_size": recipe.DIRECTION_SIZE,
        "bidirectional": True,
        "dropout": recipe.DROPOUT,
        "num_layers": 1,
    },
    "decoder": {
        "type": "recurrent",
        "rnn_type": "lstm",
        "embeddings": {"embedding_dim": recipe.EMBEDDING_SIZE, "dropout": recipe.DROPOUT},
        "hidden_size": recipe.HIDDEN_SIZE,
        "dropout": recipe.DROPOUT,
        "hidden_dropout": recipe.DROPOUT,
        "num_layers": 1,
        "input_feeding": True,
        "init_hidden": "bridge",
        "attention": "bahdanau",
    },
}


class JoeyNMT(Peer):
    """JoeyNMT 2.3.0.

    Target tokens are those that the loss is taken of: the pieces of the targets and one EOS for each. Its reports of
    tokens per second cover all that happens between them, the reading of data too. Batches are of random sentences,
    whatever their lengths.

    The search's seconds are its own "Generation took": from the first batch to the last search, without imports and the
    reading of the checkpoint.

    Of the model differs: state and memory cell of the decoder start equal, from one linear and a tanh.
    """

    name = "joeynmt"
    title = "JoeyNMT 2.3.0"
    installations = (
        ("torch==2.13.0", "setuptools<81", "wheel"),
        ("joeynmt==2.3.0", "sentencepiece==0.2.0", "importlib_metadata==10.2.0"),
    )

    def translate(self, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Translates the test source; see :meth:`Peer.translate`."""
        self._checkpoint("latest.ckpt")  # it takes this one by itself
        self._write_config("translate.yaml", self._config(recipe.NEVER, beam_size, batch_size))
        command = self._command(
            "python", "-m", "joeynmt", "translate", "translate.yaml", source=self._source(sentences)
        )
        finished = run(command, "translate")
        hypotheses = self._hypotheses(finished.output.split("\n")[:-1], sentences)
        return Translation(hypotheses, finished.seconds, search_seconds(finished, SEARCH, self.title))

    @staticmethod
    def reports(training: Finished) -> list[Report]:
        """What the toolkit told about its speed, in order."""
        return told_reports(REPORT, training.log, log_time)

    def _write_data(
        self, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], pieces: Sequence[str]
    ) -> None:
        write_splits(self.directory, train, val, pieces)

    def _training(self, steps: int) -> Command:
        self._write_config("train.yaml", self._config(steps, 1, recipe.BATCH_SIZE))
        return self._command("python", "-m", "joeynmt", "train", "train.yaml", "--skip-test")

    def _config(self, steps: int, beam_size: int, batch_size: int) -> dict[str, object]:
        return {
            "name": "seqlab",
            "joeynmt_version": "2.3.0",
            "model_dir": CHECKPOINTS,
            "use_cuda": self._require_prepared().is_gpu,
            "fp16": False,
            "random_seed": recipe.SEED,
            "data": _DATA,
            "testing": {
                "beam_size": beam_size,
                "batch_size": batch_size,
                "batch_type": "sentence",
                "max_output_length": recipe.MAX_LENGTH,
                "beam_alpha": recipe.LENGTH_PENALTY,
                "eval_metrics": ["bleu"],
            },
            "training": {
                "optimizer": "adam",
                "learning_rate": recipe.LEARNING_RATE,
                "learning_rate_min": 0.0,
                "scheduling": "exponential",  # one is required
                "decrease_factor": 1.0,
                "clip_grad_norm": recipe.CLIP_NORM,
                "label_smoothing": recipe.LABEL_SMOOTHING,
                "batch_size": recipe.BATCH_SIZE,
                "batch_type": "sentence",
                "normalization": "tokens",
                "shuffle": True,
                "epochs": recipe.NEVER,
                "updates": steps,
                "validation_freq": recipe.NEVER,
                "logging_freq": recipe.REPORT_EVERY,
                "early_stopping_metric": "bleu",
                "overwrite": True,
            },
            "model": _MODEL,
        }
