"""Summaries and answers through the real command line: learnt in seconds, with words that no training pair had."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from experiments.cli import main
from tests.experiments.metrics_table import values

SMALL = {
    "data.init_args.train_size": 600,
    "data.init_args.val_size": 40,
    "data.init_args.test_size": 60,
    "data.init_args.min_frequency": 8,
    "data.init_args.batch_size": 16,
    "model.init_args.optimizer.init_args.lr": 0.01,
    "trainer.accelerator": "cpu",
    "trainer.logger": "MetricsCSV",
    "trainer.enable_progress_bar": "false",
}


def fitted(config: str, folder: Path, experiment: str, epochs: int) -> Path:
    limits = SMALL | dict.fromkeys(("trainer.max_epochs", "trainer.check_val_every_n_epoch"), epochs)
    options = [word for name, value in limits.items() for word in (f"--{name}", str(value))]
    assert main(["fit", "--config", config, *options, "--trainer.default_root_dir", str(folder)]) == 0
    run = folder / experiment / "1"
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run)]) == 0
    return run


def test_answers_have_the_values_of_acts_and_a_talk_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fitted("configs/dialogue/sample.yaml", tmp_path, "bookings", 3)
    assert values(run, "test/slot_accuracy_c")[-1] > 0.6
    assert values(run, "test/slot_accuracy_a")[-1] > 0.6
    assert values(run, "test/bleu")[-1] > 60
    capfd.readouterr()
    said = (
        "/acts REQUEST guests\nA table at 3 pm, please.\n/acts INFORM address = 7 Mulo Street\nWhere is it?\n/context\n"
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
    assert main(["chat", "--ckpt_path", str(run)]) == 0
    first, second, context = capfd.readouterr().out.splitlines()
    assert first.startswith("For how many people")
    assert second.startswith("It is at")
    assert "Mulo" in second  # which stands in no training pair
    assert context == f"<sys> {first} <usr> Where is it? <sys> {second}"  # 3 turns are read, and 4 were said


def test_summaries_copy_and_their_sentences_are_drawn(tmp_path: Path) -> None:
    run = fitted("configs/summarisation/sample.yaml", tmp_path, "descriptions", 2)
    assert values(run, "test/rouge_l")[-1] > 65  # the nearest neighbour has 61, the first sentence 46
    assert values(run, "test/length_ratio")[-1] == pytest.approx(1.0, abs=0.2)
    assert len(list((run / "figures").glob("val-importance_*.png"))) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"turn": []}, "d.jsonl, line 1: it has no 'turns': give {"),
        ({"turns": [{"speaker": "system", "text": "Hello."}]}, "the training text is empty"),
        (
            {"turns": [{"speaker": "user", "text": " "}, {"speaker": "system", "text": "Hello."}]},
            "line 1, turn 1: 'text' is empty",
        ),
    ],
)
def test_own_dialogues_take_three_lines_and_what_they_lack_is_told_in_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: object, message: str
) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps(line) + "\n")
    own = {split: {"dialogues": str(tmp_path / "d.jsonl"), "before": "acts"} for split in ("train", "val", "test")}
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump({"data": {"init_args": {**own, "cache_directory": str(tmp_path / "cache")}}})
    )
    configs = ["--config", "configs/dialogue/schema_guided.yaml", "--config", str(tmp_path / "own.yaml")]
    assert main(["fit", *configs, "--trainer.default_root_dir", str(tmp_path)]) == 2
    (told,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("seqlab: error: "))
    assert message in told
    assert not (tmp_path / "schema_guided").exists() or not list((tmp_path / "schema_guided").iterdir())
