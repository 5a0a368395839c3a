"""OpenNMT-py, a toolkit for neural machine translation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from experiments.benchmarks.peers import recipe
from experiments.benchmarks.peers.corpus import read_lines, write_splits
from experiments.benchmarks.peers.peer import CHECKPOINTS, Peer
from experiments.benchmarks.peers.process import Command, Finished, run
from experiments.benchmarks.peers.speed import Report, Translation, log_time, search_seconds, told_reports

REPORT = re.compile(r"^\[(?P<time>[\d-]+ [\d:,]+) INFO\] Step (?P<step>\d+)/.*/ *(?P<speed>\d+) tok/s;", re.MULTILINE)
SEARCH = re.compile(r"Total translation time \(s\): ([\d.]+)")
HYPOTHESES = "hypotheses.pieces"


class OpenNMT(Peer):
    """OpenNMT-py 3.5.1.

    Target tokens are those that the loss is taken of: the pieces of the targets and one EOS for each. Its reports of
    tokens per second cover all that happens between them, the reading of data too. Batches are of sentences of about
    the same length: it sorts the whole training text.

    The search's seconds are its own "Total translation time", to a tenth of a second: from the first batch to the last
    translation, without imports and the reading of the checkpoint.

    Of the model differs: the linear of state and context is not followed by a tanh (OpenNMT-py has one with the other
    attentions only), and the bridge's linears by a ReLU. Their loss is divided by the target tokens without EOS.
    """

    name = "opennmt"
    title = "OpenNMT-py 3.5.1"
    installations = (
        ("torch==2.13.0", "setuptools<81", "wheel"),
        ("--no-deps", "OpenNMT-py==3.5.1"),  # its own requirement is an older torch
        (
            "configargparse==1.9.0",
            "ctranslate2==4.8.5",
            "fasttext-wheel==0.9.2",
            "flask==3.1.3",
            "pyahocorasick==2.3.1",
            "pyonmttok==1.38.1",
            "pyyaml==6.0.4",
            "rapidfuzz==3.14.6",
            "sacrebleu==2.6.0",
            "sentencepiece==0.2.3",
            "six==1.17.0",
            "spacy==3.8.18",
            "subword-nmt==0.3.8",
            "tensorboard==2.21.0",
            "waitress==3.0.2",
        ),
    )

    def translate(self, beam_size: int, batch_size: int, sentences: int | None = None) -> Translation:
        """Translates the test source; see :meth:`Peer.translate`."""
        words = {
            "-model": str(self._checkpoint("*.pt")),
            "-src": str(self._source(sentences)),
            "-output": HYPOTHESES,
            "-beam_size": str(beam_size),
            "-batch_size": str(batch_size),
            "-batch_type": "sents",
            "-max_length": str(recipe.MAX_LENGTH),
            "-max_length_ratio": "0",
            "-length_penalty": "wu",
            "-alpha": str(recipe.LENGTH_PENALTY),
        }
        if self._require_prepared().is_gpu:
            words["-gpu"] = "0"
        arguments = [word for pair in words.items() for word in pair]
        # Its checkpoints hold its options as an object, which torch.load refuses by default.
        variables = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
        finished = run(self._command("onmt_translate", *arguments, "-report_time", variables=variables), "translate")
        hypotheses = self._hypotheses(read_lines(self.directory / HYPOTHESES), sentences)
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
        config: dict[str, object] = {
            "data": {
                "train": {"path_src": "train.source", "path_tgt": "train.target"},
                "valid": {"path_src": "val.source", "path_tgt": "val.target"},
            },
            "src_vocab": "vocabulary.txt",
            "tgt_vocab": "vocabulary.txt",
            "share_vocab": True,
            "save_model": f"{CHECKPOINTS}/opennmt",
            "seed": recipe.SEED,
            "encoder_type": "brnn",
            "decoder_type": "rnn",
            "rnn_type": "LSTM",
            "enc_layers": 1,
            "dec_layers": 1,
            "enc_hid_size": 2 * recipe.DIRECTION_SIZE,  # both directions together
            "dec_hid_size": recipe.HIDDEN_SIZE,
            "word_vec_size": recipe.EMBEDDING_SIZE,
            "bridge": True,
            "input_feed": 1,
            "global_attention": "mlp",
            "dropout": [recipe.DROPOUT],
            "label_smoothing": recipe.LABEL_SMOOTHING,
            "optim": "adam",
            "learning_rate": recipe.LEARNING_RATE,
            "learning_rate_decay": 1.0,
            "max_grad_norm": recipe.CLIP_NORM,
            "batch_type": "sents",
            "batch_size": recipe.BATCH_SIZE,
            "normalization": "tokens",
            "bucket_size": len(read_lines(self.directory / "train.source")),  # are read and sorted at once
            "num_workers": 0,
            "train_steps": steps,
            "valid_steps": recipe.NEVER,
            "save_checkpoint_steps": steps,
            "report_every": recipe.REPORT_EVERY,
        }
        if self._require_prepared().is_gpu:
            config |= {"world_size": 1, "gpu_ranks": [0]}
        self._write_config("train.yaml", config)
        return self._command("onmt_train", "-config", "train.yaml")
