"""Callbacks, in the hands of a real trainer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import pytest
import sacrebleu
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from matplotlib.figure import Figure
from torch import Tensor

from datamodules.batch import Padded, SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks import (
    AlignmentFigures,
    CurveFigures,
    LengthScores,
    PredictionWriter,
    TextMetrics,
    Throughput,
    TranslationTable,
)
from experiments.callbacks.text import gathered
from experiments.callbacks.watched_sentences import watched_sentences
from experiments.figures.alignment import alignment_figure
from experiments.loggers import MetricsCSV
from experiments.metrics import BLEU, ChrF
from experiments.storage.predictions_table import read_predictions
from lightning_modules.decoding.hypothesis import Hypothesis
from lightning_modules.decoding.search import Search
from tests.experiments.echo_task import REFERENCES, SOURCES, EchoData, EchoModel, make_trainer
from tests.experiments.metrics_table import values


def fit(
    run: Path,
    *callbacks: L.Callback,
    model: L.LightningModule | None = None,
    **options: Any,  # noqa: ANN401 - what a Trainer takes
) -> L.Trainer:
    trainer = make_trainer(run, logger=MetricsCSV(str(run)), callbacks=list(callbacks), **options)
    trainer.fit(model or EchoModel(), datamodule=EchoData())
    return trainer


class TestTextMetrics:
    def test_the_scores_are_sacrebleus_over_the_whole_set(self, tmp_path: Path) -> None:
        fit(tmp_path, TextMetrics())

        bleu = sacrebleu.corpus_bleu(SOURCES, [REFERENCES]).score
        chrf = sacrebleu.corpus_chrf(SOURCES, [REFERENCES]).score
        assert 0 < bleu < 100
        assert values(tmp_path, "val/bleu") == pytest.approx([bleu, bleu], rel=1e-6)
        assert values(tmp_path, "val/chrf") == pytest.approx([chrf, chrf], rel=1e-6)
        assert values(tmp_path, "val/exact_match") == pytest.approx([2 / 5, 2 / 5])

    def test_checkpoints_and_early_stopping_can_monitor_them(self, tmp_path: Path) -> None:
        best = ModelCheckpoint(tmp_path / "checkpoints", monitor="val/bleu", mode="max")
        stopping = EarlyStopping("val/exact_match", mode="max", patience=1)
        trainer = fit(tmp_path, TextMetrics(), best, stopping, enable_checkpointing=True, max_epochs=9)

        assert best.best_model_score == pytest.approx(sacrebleu.corpus_bleu(SOURCES, [REFERENCES]).score, rel=1e-6)
        assert trainer.current_epoch == 2, "the score never got better"

    def test_a_test_prints_and_keeps_the_signatures(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        trainer = make_trainer(tmp_path, callbacks=[TextMetrics([BLEU(), ChrF()])])
        (scores,) = trainer.test(EchoModel(), datamodule=EchoData(), verbose=False)

        assert set(scores) == {"test/bleu", "test/chrf"}
        signatures = json.loads((tmp_path / "signatures.json").read_text())
        assert "tok:13a" in signatures["test/bleu"]
        assert "case:mixed" in signatures["test/bleu"]
        printed = capsys.readouterr().out
        assert f"test/bleu = {scores['test/bleu']:.2f}  [{signatures['test/bleu']}]" in printed
        assert signatures["test/chrf"] in printed

    def test_the_sanity_check_scores_nothing(self, tmp_path: Path) -> None:
        class Stop(L.Callback):
            def on_sanity_check_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
                assert "val/bleu" not in trainer.callback_metrics
                assert list(tmp_path.iterdir()) == []

        fit(tmp_path, TextMetrics(), TranslationTable(), AlignmentFigures(), Stop(), max_epochs=1)
        assert len(values(tmp_path, "val/bleu")) == 1

    def test_data_without_text_is_one_clear_line(self, tmp_path: Path) -> None:
        class Numbers(EchoData):
            references = None

        del Numbers.references
        trainer = make_trainer(tmp_path, callbacks=[TextMetrics()])
        with pytest.raises(UserError, match="data module of sentence pairs"):
            trainer.test(EchoModel(), EchoData().loader([0], 1))

    def test_two_processes_score_what_one_does(self, tmp_path: Path) -> None:
        callbacks = [TextMetrics(), PredictionWriter(), Monitored(tmp_path)]
        options: dict[str, Any] = {"devices": 2, "strategy": "ddp_fork", "max_epochs": 1, "num_sanity_val_steps": 0}
        fit(tmp_path / "two", *callbacks, **options)
        fit(tmp_path / "one", TextMetrics(), max_epochs=1)

        for name in ("val/bleu", "val/chrf", "val/exact_match"):
            assert values(tmp_path / "two", name) == values(tmp_path / "one", name)
            assert [json.loads((tmp_path / f"rank{rank}").read_text())[name] for rank in (0, 1)] == (
                values(tmp_path / "one", name) * 2
            )


class Monitored(L.Callback):
    """Writes down what a callback of each rank can monitor."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        scores = {name: value.item() for name, value in trainer.callback_metrics.items()}
        (self.directory / f"rank{trainer.global_rank}").write_text(json.dumps(scores))


class TestLengthScores:
    # Sources of 5, 5, 2, 6 and 6 tokens; the 2nd, the 3rd and the last hypothesis miss 1, 2 and 1 of theirs.
    SCORES: ClassVar = {
        "test/exact_match_length_2": 0.0,
        "test/exact_match_length_5": 1 / 2,
        "test/exact_match_length_6": 1 / 2,
        "test/token_match_length_2": 1 / 3,
        "test/token_match_length_5": 11 / 12,
        "test/token_match_length_6": 13 / 14,
    }

    def test_each_length_by_hand(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, callbacks=[LengthScores()])
        for _ in range(2):  # a second test counts anew
            (scores,) = trainer.test(EchoModel(), datamodule=EchoData(), verbose=False)
            assert scores == pytest.approx(self.SCORES)
        assert [path.name for path in (tmp_path / "figures").iterdir()] == ["test-length_scores-step000000.png"]

    @pytest.mark.parametrize(("hypothesis", "match"), [("", 0 / 4), ("a b", 2 / 4), ("a b c d e", 3 / 4)])
    def test_hypotheses_of_another_length(self, hypothesis: str, match: float, tmp_path: Path) -> None:
        class Fixed(EchoModel):
            def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
                return [[Hypothesis(data.source_tokenizer.encode(hypothesis), 0.0, 0.0)]] * len(source)

        data = EchoData([*["a b c"] * 5], [*["a b c"] * 5])
        data.source_tokenizer.train(SOURCES)
        (scores,) = make_trainer(tmp_path, callbacks=[LengthScores()]).test(Fixed(), datamodule=data, verbose=False)
        assert scores == pytest.approx({"test/exact_match_length_3": 0.0, "test/token_match_length_3": match})

    def test_two_processes_score_what_one_does(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, callbacks=[LengthScores()], devices=2, strategy="ddp_fork")
        (scores,) = trainer.test(EchoModel(), datamodule=EchoData(), verbose=False)
        assert scores == pytest.approx(self.SCORES)


class TestPredictionWriter:
    def test_the_table_is_in_the_order_of_the_corpus(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, callbacks=[PredictionWriter()])
        trainer.predict(EchoModel(), datamodule=EchoData(), return_predictions=False)

        header, *rows = (tmp_path / "predictions.tsv").read_text().splitlines()
        assert header == "source\thypothesis\tscore\treference\tline"
        assert [row.split("\t")[:2] for row in rows] == [[source, source] for source in SOURCES]
        assert [float(row.split("\t")[2]) for row in rows] == [-0.5 * (len(source.split()) + 1) for source in SOURCES]
        assert [row.split("\t")[3:] for row in rows] == [[text, str(n)] for n, text in enumerate(REFERENCES, start=1)]

    def test_no_text_can_shift_the_table(self, tmp_path: Path) -> None:
        sources = ["a\tb", "a\u2028b", "a\\tb", "a\nb\x85c", "d"]
        trainer = make_trainer(tmp_path, callbacks=[PredictionWriter()])
        trainer.predict(EchoModel(), datamodule=EchoData(sources), return_predictions=False)

        _, *rows = (tmp_path / "predictions.tsv").read_text().splitlines()
        assert [row.split("\t")[0] for row in rows] == [r"a\tb", r"a\u2028b", r"a\\tb", r"a\nb\u0085c", "d"]
        assert all(len(row.split("\t")) == 5 for row in rows)
        restored_rows = read_predictions(tmp_path, ["source", "hypothesis"])
        assert [row["source"] for row in restored_rows] == sources


class TestTranslationTable:
    def test_each_sentence_develops_in_its_section(self, tmp_path: Path) -> None:
        fit(tmp_path, TranslationTable(sentences=2))

        assert (tmp_path / "translations.md").read_text().splitlines() == [
            "# Translations of validation sentences",
            "",
            "## Sentence 1",
            "",
            "| step | |",
            "| ---: | --- |",
            "| source | a b c d e |",
            "| reference | a b c d e |",
            "| 4 | a b c d e |",
            "| 8 | a b c d e |",
            "",
            "## Sentence 3",
            "",
            "| step | |",
            "| ---: | --- |",
            "| source | c d |",
            "| reference | e e |",
            "| 4 | c d |",
            "| 8 | c d |",
        ]

    def test_a_resumed_run_has_each_row_once(self, tmp_path: Path) -> None:
        def run(name: str, epochs: int, checkpoint: Path | None = None) -> None:
            saved = ModelCheckpoint(tmp_path / f"checkpoints-{name}", "{epoch}", save_top_k=-1)
            trainer = make_trainer(
                tmp_path / name, callbacks=[TranslationTable(), saved], enable_checkpointing=True, max_epochs=epochs
            )
            trainer.fit(EchoModel(), datamodule=EchoData(), ckpt_path=checkpoint)

        run("whole", epochs=3)
        run("killed", epochs=2)
        run("killed", epochs=3, checkpoint=tmp_path / "checkpoints-killed" / "epoch=0.ckpt")
        texts = [(tmp_path / name / "translations.md").read_text() for name in ("whole", "killed")]
        assert texts[0] == texts[1]
        assert texts[0].count("\n| 12 |") == len(SOURCES)


class PaddedModel(EchoModel):
    """Returns attention of the whole batch's width; what stands on padding is given."""

    def __init__(self, on_padding: float) -> None:
        super().__init__()
        self.on_padding = on_padding

    def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
        found = super().translate(source, search, with_attention)
        for (hypothesis,), length in zip(found, source.lengths.tolist(), strict=True):
            if hypothesis.heads is not None:
                hypothesis.heads[..., length:] = self.on_padding
        return found


class TestAlignmentFigures:
    def test_each_validation_draws_the_same_sentences(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[tuple[list[str], list[str], Tensor, str]] = []

        def note(source: list[str], hypothesis: list[str], attention: Tensor, title: str) -> Figure:
            drawn.append((source, hypothesis, attention, title))
            return alignment_figure(source, hypothesis, attention, title)

        monkeypatch.setattr("experiments.callbacks.watched_sentences.alignment_figure", note)
        fit(tmp_path, AlignmentFigures(sentences=2), model=PaddedModel(on_padding=0.0))

        assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
            "val-alignment_1-step000004.png",
            "val-alignment_1-step000008.png",
            "val-alignment_2-step000004.png",
            "val-alignment_2-step000008.png",
        ]
        source, hypothesis, attention, title = drawn[1]
        assert source == ["c", "d", "</s>", "<pad>", "<pad>", "<pad>"]
        assert hypothesis == ["c", "d", "</s>"]
        assert torch.equal(attention[:, 3:], torch.zeros(3, 3))
        assert title == "step 4"

    def test_attention_on_padding_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not 0 beyond 3 source tokens"):
            fit(tmp_path, AlignmentFigures(sentences=2), model=PaddedModel(on_padding=1e-30))

    def test_a_model_without_attention_has_no_figures(self, tmp_path: Path) -> None:
        class Blind(EchoModel):
            def translate(self, source: Padded, search: Search, with_attention: bool = False) -> list[list[Hypothesis]]:
                return super().translate(source, search, with_attention=False)

        fit(tmp_path, AlignmentFigures(), model=Blind())
        assert not (tmp_path / "figures").exists()


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class TimedModel(EchoModel):
    """A training step takes 1 second, a validation batch 100, a checkpoint 1000."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        self.clock.now += 1.0
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> list[Hypothesis]:
        self.clock.now += 100.0
        return super().validation_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock.now += 1000.0


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("saves", [True, False])
def test_throughput_counts_target_tokens_and_training_time_alone(
    accumulated: int, saves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    saved = ModelCheckpoint(tmp_path / "checkpoints", every_n_train_steps=1, save_top_k=-1)
    fit(
        tmp_path,
        Throughput(),
        *([saved] if saves else []),
        model=TimedModel(clock),
        enable_checkpointing=saves,
        val_check_interval=1 if accumulated == 1 else None,
        accumulate_grad_batches=accumulated,
        log_every_n_steps=2 // accumulated,
    )

    words = [len(REFERENCES[index].split()) + 1 for index in range(4)]  # EOS is a token
    first, second = sum(words[:2]) / 2, sum(words[2:]) / 2
    assert values(tmp_path, "train/tokens_per_second") == [first, second, first, second]


def test_curves_are_drawn_when_training_ends(tmp_path: Path) -> None:
    fit(tmp_path, CurveFigures())
    assert (tmp_path / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_metrics_file_there_are_no_curves(tmp_path: Path) -> None:
    make_trainer(tmp_path, callbacks=[CurveFigures()]).fit(EchoModel(), datamodule=EchoData())
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(("count", "total"), [(3, 1000), (8, 1000), (8, 5), (1, 1), (3, 0), (0, 4), (1000, 1000)])
def test_watched_sentences_are_distinct_and_spread(count: int, total: int) -> None:
    chosen = watched_sentences(count, total)
    assert len(set(chosen)) == len(chosen) == min(count, total)
    assert all(0 <= index < total for index in chosen)
    assert chosen[: count // 2] == watched_sentences(count // 2, total)[:total]


def test_watched_sentences_reach_all_quarters() -> None:
    assert sorted(index // 250 for index in watched_sentences(4, 1000)) == [0, 1, 2, 3]


def test_one_process_gathers_its_own_in_order() -> None:
    assert list(gathered({3: "c", 1: "a", 2: "b"}).items()) == [(1, "a"), (2, "b"), (3, "c")]
