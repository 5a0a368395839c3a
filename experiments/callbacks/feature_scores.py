"""How right a model's hypotheses are, by the features of their sources: what is wrong with an inflection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import lightning as L

from datamodules.batch import SequenceBatch
from datamodules.corpora.features import FeatureTokenizer
from datamodules.errors import UserError
from experiments.callbacks.text import gathered, sentence_pairs, written
from experiments.figures.features import feature_figure
from experiments.loggers.media import log_figure, log_table
from experiments.storage.durable import durable_write
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.training.trainer_parts import data_of

FEATURE_SCORES = "feature_scores.tsv"

COLUMNS = ("feature", "sentences", "right", "share_right")


class FeatureScores(L.Callback):
    """Counts, in a test, how many of the sentences with a feature are written to the letter.

    ``feature_scores.tsv`` in the run's directory has a line for each feature, the one with the most errors first. A
    picture is in ``figures/``, and with the table in the loggers that show them, as ``test/feature_scores``. The data
    need a column of features.
    """

    def __init__(self) -> None:
        self._outcomes: dict[int, tuple[list[str], bool]] = {}

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Sequence[Hypothesis],  # type: ignore[override]  # Lightning's is any output
        batch: SequenceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Compares the batch's hypotheses with their references.

        Raises:
            UserError: The data have no features.
        """
        tokenizer = getattr(data_of(trainer), "source_tokenizer", None)
        if not isinstance(tokenizer, FeatureTokenizer):
            raise UserError(
                "FeatureScores needs data with a column of features: set data.init_args.features, or take it out of "
                "trainer.callbacks"
            )
        data = sentence_pairs(trainer)
        references = data.references("test")
        rows = zip(batch.index.tolist(), batch.source.values, batch.source.lengths.tolist(), outputs, strict=True)
        for index, source, length, hypothesis in rows:
            is_right = written(data, "test", index, hypothesis) == references[index]
            self._outcomes[index] = (tokenizer.features_in(source[:length].tolist()), is_right)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes, draws and shows the counts, on rank zero.

        Raises:
            RunFailed: A file cannot be written, for example on a full disk.
        """
        outcomes = gathered(self._outcomes)
        self._outcomes = {}
        counts: defaultdict[str, list[bool]] = defaultdict(list)
        for features, is_right in outcomes.values():
            for feature in dict.fromkeys(features):
                counts[feature].append(is_right)
        if not counts or not trainer.is_global_zero:
            return
        scores = {feature: (len(rights), sum(rights)) for feature, rights in counts.items()}
        worst_first = sorted(scores, key=lambda feature: (scores[feature][1] - scores[feature][0], feature))
        rows = [(feature, *scores[feature], scores[feature][1] / scores[feature][0]) for feature in worst_first]
        with durable_write(Path(trainer.default_root_dir) / FEATURE_SCORES) as file:
            file.write(("\t".join(COLUMNS) + "\n").encode())
            file.writelines(f"{name}\t{count}\t{right}\t{share:.4f}\n".encode() for name, count, right, share in rows)
        figure = feature_figure({feature: scores[feature] for feature in worst_first}, "Test, by feature")
        log_figure(trainer, "test/feature_scores", figure, trainer.global_step)
        log_table(trainer, "test/feature_scores", COLUMNS, rows, trainer.global_step)
