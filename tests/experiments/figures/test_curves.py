"""Learning curves show what was logged, and nothing else."""

from __future__ import annotations

import io
import itertools
import warnings
from pathlib import Path

import lightning as L
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text
from PIL import Image

from experiments.cli import main
from experiments.figures.curves import MOST_OTHER_PANELS, learning_curves, read_series
from experiments.loggers.media import write_figure
from tests.experiments.tiny_task import write_tiny_task

pytestmark = pytest.mark.drawn

HEADER = "step,epoch,time,train/loss,train/learning_rate,val/loss,val/bleu,train/gradient_norm\n"


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.csv"
    path.write_text(
        HEADER
        + "9,0,1.5,4.0,,,,2.5\n"
        + "9,,1.5,,0.001,,,\n"
        + "9,0,2.5,,,3.5,10.0,\n"
        + "19,1,3.5,3.0,,,,0.5\n"
        + "19,1,4.5,,,2.5,30.0,\n"
        + "29,2,5.5,,,2.75,20.0,\n"
    )
    return path


def labels(axes: Axes) -> list[str]:
    """What the legend says."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_each_line_has_exactly_the_logged_points(metrics: Path) -> None:
    lines = {
        line.get_label(): [np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()]
        for axes in learning_curves(metrics).axes
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }

    assert lines == {
        "train/loss": [[9, 19], [4.0, 3.0]],
        "val/loss (best 2.5)": [[9, 19, 29], [3.5, 2.5, 2.75]],
        "val/bleu (best 30)": [[9, 19, 29], [10.0, 30.0, 20.0]],
        "train/learning_rate": [[9], [0.001]],
        "train/gradient_norm": [[9, 19], [2.5, 0.5]],
    }


def test_the_best_validation_is_ringed_and_told_in_the_legend(metrics: Path) -> None:
    loss, quality, *_ = learning_curves(metrics).axes

    def rings(axes: Axes) -> list[tuple[float, float]]:
        return [tuple(*line.get_xydata()) for line in axes.get_lines() if line.get_markerfacecolor() == "none"]

    assert rings(loss) == [(19, 2.5)]
    assert rings(quality) == [(19, 30.0)]
    assert labels(loss) == ["train/loss", "val/loss (best 2.5)"]
    assert labels(quality) == ["val/bleu (best 30)"]


@pytest.mark.parametrize("top", [1e-12, 1.0, 100.0, 123456789.0])
def test_no_text_covers_another(top: float, tmp_path: Path) -> None:
    """The best value in the upper left corner, where the title is; steps in millions."""
    path = tmp_path / "metrics.csv"
    falling = zip((0, 4_000_000, 9_999_999), (top, top / 2, top / 3), strict=True)
    rows = [f"{step},0,1.0,{value},,{value * 0.999},{value},\n" for step, value in falling]
    path.write_text(HEADER + "".join(rows))
    figure = learning_curves(path)
    figure.savefig(io.BytesIO(), format="png")
    for axes in figure.axes:
        steps = axes.get_xticklabels(which="both")
        hidden = {label for label in steps if not axes.viewLim.x0 <= label.get_position()[0] <= axes.viewLim.x1}
        hidden |= {*axes.get_yticklabels(which="both")}
        texts = [text for text in axes.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]
        boxes = [text.get_window_extent() for text in texts]
        assert len(boxes) > 6
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)


def test_axes_say_what_they_show(metrics: Path) -> None:
    for axes in learning_curves(metrics).axes:
        assert axes.get_title(loc="left")
        assert axes.get_ylabel()
        assert axes.get_xlabel() == "optimizer step"


def test_a_metric_that_was_not_logged_has_no_panel(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,0,1.0,4.0,,,,\n")

    assert [axes.get_title(loc="left") for axes in learning_curves(path).axes] == ["Loss"]


def test_an_empty_run_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER)

    figure = learning_curves(path)
    assert not figure.axes
    assert [text.get_text() for text in figure.texts] == ["nothing was logged"]


def test_values_that_are_not_finite_are_drawn_around(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,0,1.0,nan,,nan,,inf\n1,0,1.0,2.0,,inf,,-1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning_curves(path).savefig(io.BytesIO(), format="png")

    assert read_series(path)["train/loss"].steps == [0, 1]


def test_an_evaluation_of_an_older_checkpoint_does_not_bend_the_curves(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch,time,val/loss\n2,0,1.0,3.0\n5,1,2.0,2.0\n2,0,3.0,3.5\n8,2,4.0,1.0\n")
    logged = read_series(path)["val/loss"]
    assert (logged.steps, logged.values) == ([2, 5, 8], [3.0, 2.0, 1.0])


def test_every_other_metric_has_a_panel_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(
        "step,epoch,time,train/loss,lr-AdamW,train/ter,val/ter,val/$x_{,test/ter\n"
        "9,0,1.0,4.0,0.1,60,,,\n9,0,1.0,,,,70,1,\n19,1,2.0,3.0,0.2,50,65,2,\n19,1,2.0,,,,,,80\n"
    )
    figure = learning_curves(path)
    figure.savefig(io.BytesIO(), format="png")
    drawn = {axes.get_title(loc="left"): labels(axes) for axes in figure.axes}
    assert drawn == {
        "Loss": ["train/loss"],
        "ter": ["val/ter", "train/ter"],
        "$x_{": ["val/$x_{"],
        "lr-AdamW": ["lr-AdamW"],
    }
    points = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in figure.axes[1].get_lines()}
    assert points == {"val/ter": [[9, 70], [19, 65]], "train/ter": [[9, 60], [19, 50]]}


def test_a_figure_of_hundreds_of_metrics_says_what_it_leaves_out(tmp_path: Path) -> None:
    names = [f"DeviceStatsMonitor.on_train_batch_start/allocated_bytes.all.number_{number}" for number in range(100)]
    path = tmp_path / "metrics.csv"
    path.write_text(f"step,epoch,time,{','.join(names)},val/mine\n4,0,1.0{',1' * 101}\n")
    figure = learning_curves(path)
    figure.savefig(io.BytesIO(), format="png")
    assert len(figure.axes) == MOST_OTHER_PANELS
    assert figure.axes[0].get_title(loc="left") == "mine"
    assert figure.get_supxlabel() == "77 more metrics are in metrics.csv"
    for axes in figure.axes:
        for text in (axes.title, axes._left_title, *axes.get_legend().get_texts()):
            assert text.get_window_extent().x1 <= figure.bbox.x1


class WordErrors(L.Callback):
    """A metric of a user's own, on the validation set."""

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        pl_module.log("val/word_errors", 0.5)


@pytest.mark.wandb
def test_a_metric_of_ones_own_and_an_even_attention_are_seen_in_a_runs_pictures(tmp_path: Path) -> None:
    config = write_tiny_task(tmp_path, 3, train_size=100)  # one seed: of a word alone the picture is all colour bar
    warm = "--model.init_args.decoder.init_args.attention.init_args.temperature=1000"
    own = f"--trainer.callbacks+={__name__}.WordErrors"
    assert main(["fit", "--config", str(config), "--trainer.max_epochs=2", warm, own]) == 0
    run = tmp_path / "runs" / "tiny" / "1"
    figure = learning_curves(run / "metrics.csv")
    assert "word_errors" in [axes.get_title(loc="left") for axes in figure.axes]
    write_figure(figure, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (run / "figures" / "curves.png").read_bytes()

    pictures = sorted((run / "figures").glob("val-alignment_1-*.png"))
    assert len(pictures) == 2
    for picture in pictures:
        cells = np.asarray(Image.open(picture).convert("RGB")).astype(int)[:, :-150]  # without the colour bar
        assert ((np.abs(cells - [8, 48, 107]) < 40).all(axis=-1)).mean() > 0.002, "the largest weight is dark blue"
    logged = (run / "wandb").rglob("val/alignment_1_*.png")
    assert {path.read_bytes() for path in logged} == {path.read_bytes() for path in pictures}
