"""Marian, a translation toolkit in C++."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from datamodules.errors import UserError
from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.corpus import VOCABULARY, PeerCorpus, read_lines, write_splits
from experiments.benchmarks.peers.hardware import Hardware
from experiments.benchmarks.peers.peer import CHECKPOINTS, Peer
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import Report, Translation, log_time, search_seconds, told_reports

REPORT = re.compile(
    r"^\[(?P<time>[\d-]+ [\d:]+)\] Ep\. \d+ : Up\. (?P<step>[\d,]+) : .* : Time [\d.]+s : (?P<speed>[\d,.]+) words/s",
    re.MULTILINE,
)
SEARCH = re.compile(r"^search took ([\d.]+) seconds$", re.MULTILINE)
PROGRAM = Path(__file__).with_name("marian_program.py")
HYPOTHESES = "hypotheses.pieces"

SORTED_BATCHES = 100
"""Batches that are read at once and sorted by length, in training and translating."""

MAX_LENGTH = 1000
"""Most pieces of a training sentence; longer ones it leaves out."""


class Marian(Peer):
    """Marian 1.12.42, from the package ``pymarian``; its type ``s2s``, of which there is no model that is the same.

    Target tokens are those that the loss is taken of: the pieces of the targets and one EOS for each. The time of its
    reports is told to a second. A batch is shared among the threads, each of which has a part.

    The search's seconds are from before the first sentence to after the last, without the reading of the checkpoint. It
    keeps as many hypotheses as have not ended, and stops when all have; a log-probability is divided by the length.

    Of the model differs:

    - The decoder steps twice for each token, with the attention between (Nematus's conditional cell); the context takes
      the place of input feeding.
    - Each direction of the encoder is as wide as the decoder, 512, for both have one size.
    - What the vocabulary's projection reads is as wide as an embedding, 256, made of state, context and embedding.
    - Dropout is on the cells' inputs, one mask for all steps.
    """

    name = "marian"
    title = "Marian 1.12.42"
    installations = (("pymarian==1.12.42",),)

    def prepare(self, corpus: PeerCorpus, hardware: Hardware) -> None:
        """Installs and writes the data; see :meth:`Peer.prepare`.

        Raises:
            UserError: As there, or it is to run on a GPU, for which the package is not built.
        """
        if hardware.is_gpu:
            raise UserError(f"{self.title}: its package runs on the CPU alone: leave it out, or give --device cpu")
        super().prepare(corpus, hardware)

    def translate(self, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Translates the test source; see :meth:`Peer.translate`."""
        checkpoint = self._checkpoint("*.npz")
        self._write_config(
            "translate.yaml",
            {
                "models": [str(checkpoint)],
                "vocabs": [VOCABULARY, VOCABULARY],
                "beam-size": beam_size,
                "normalize": recipe.LENGTH_PENALTY,
                "mini-batch": batch_size,
                "maxi-batch": SORTED_BATCHES,
                "maxi-batch-sort": "src",
                "max-length": recipe.MAX_LENGTH,
                "cpu-threads": self._require_prepared().threads,
            },
        )
        source = str(self._source(sentences))
        command = self._command("python", str(PROGRAM), "translate", "translate.yaml", source, HYPOTHESES)
        finished = run(command, "translate")
        hypotheses = self._hypotheses(read_lines(self.directory / HYPOTHESES), sentences)
        return Translation(hypotheses, finished.seconds, search_seconds(finished, SEARCH, self.title))

    @staticmethod
    def reports(training: Finished) -> list[Report]:
        """What the toolkit told about its speed, in order."""
        return told_reports(REPORT, training.log, log_time)

    def _write_data(
        self, train: Sequence[tuple[str, str]], val: Sequence[tuple[str, str]], pieces: Sequence[str]
    ) -> None:
        write_splits(self.directory, train, val, ["</s>", "<unk>", *pieces])

    def _training(self, steps: int) -> Command:
        (self.directory / CHECKPOINTS).mkdir(exist_ok=True)
        self._write_config(
            "train.yaml",
            {
                "type": "s2s",
                "model": f"{CHECKPOINTS}/marian.npz",
                "train-sets": ["train.source", "train.target"],
                "vocabs": [VOCABULARY, VOCABULARY],
                "tied-embeddings-src": True,
                "enc-type": "bidirectional",
                "enc-cell": "lstm",
                "dec-cell": "lstm",
                "enc-depth": 1,
                "dec-depth": 1,
                "dim-rnn": recipe.HIDDEN_SIZE,
                "dim-emb": recipe.EMBEDDING_SIZE,
                "dropout-rnn": recipe.DROPOUT,
                "label-smoothing": recipe.LABEL_SMOOTHING,
                "cost-type": "ce-mean-words",
                "optimizer": "adam",
                "learn-rate": recipe.LEARNING_RATE,
                "clip-norm": recipe.CLIP_NORM,
                "mini-batch": recipe.BATCH_SIZE,
                "maxi-batch": SORTED_BATCHES,
                "max-length": MAX_LENGTH,
                "after": f"{steps}u",
                "disp-freq": f"{recipe.REPORT_EVERY}u",
                "save-freq": f"{recipe.NEVER}u",
                "valid-freq": f"{recipe.NEVER}u",
                "overwrite": True,
                "seed": recipe.SEED,
                "cpu-threads": self._require_prepared().threads,
            },
        )
        return self._command("python", str(PROGRAM), "train", "train.yaml")
