"""``seqlab card``: each number of a card is that of a file, what no file has is said to be missing."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.quantising import quantise
from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tiny_task import write_tiny_task


def parts(readme: Path) -> tuple[dict[str, Any], str]:
    """Front matter and text."""
    _, front, text = readme.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def rows(text: str, title: str) -> dict[str, list[str]]:
    """The table of a section, by its first column."""
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return {first.strip(" `"): [cell.replace("\\|", "|").strip(" `") for cell in rest] for first, *rest in cells[2:]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    config = write_tiny_task(folder, seed=3)
    assert main(["fit", "--config", str(config), "--seed_everything", "12345", "--trainer.max_epochs", "2"]) == 0
    run = folder / "runs" / "tiny" / "1"
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/best.ckpt")]) == 0
    return run


def test_each_number_is_that_of_a_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["card", "--ckpt_path", str(run), "--licence", "mit", "--language", "de", "fr", "--tags", "reversed"]
    assert main(words) == 0
    folder = run / "checkpoints" / "best-card"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "best.ckpt", "config.yaml"]
    front, text = parts(folder / "README.md")
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt")
    record = json.loads((run / "record.json").read_text())
    signatures = json.loads((run / "signatures.json").read_text())
    assert (front["license"], front["language"]) == ("mit", ["de", "fr"])
    assert {"seqlab", "reversed"} <= set(front["tags"])

    training = rows(text, "Training")
    assert training["updates"] == [f"{checkpoint['global_step']:,}"]
    assert training["epochs begun"] == [str(checkpoint["epoch"] + 1)]
    assert training["seed"] == ["12345"]
    assert training["command"] == [record["command"]]
    assert training["Python"] == [record["python"]]
    assert all(f"{name} {number}" in training["versions"][0] for name, number in record["versions"].items())
    assert f"cores {record['machine']['cores']}," in training["machine"][0]

    hashes = {split: digest for split, (digest,) in rows(text, "Data").items()}
    assert hashes == checkpoint["TranslationDataModule"]["content"]
    assert hashes.items() <= record["data"].items()
    data = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    had = checkpoint["datamodule_hyper_parameters"]
    assert data == {name: value for name, value in had.items() if not name.startswith("_")}

    model = checkpoint["hyper_parameters"]
    limits = text.split("## Limits\n")[1].split("\n## ")[0]
    assert f"longest source in training: {model['longest_source']};" in limits
    assert f"longest target: {model['longest_target']}." in limits
    assert f"{model['source_vocabulary_size']} ids of a WhitespaceTokenizer; of the target" in limits
    assert f"It has {record['parameters']:,} parameters." in text

    logged = {name: value for name, (value, _) in rows(text, "Scores").items()}
    step = checkpoint["global_step"] - 1
    in_hub = {
        metric["name"]: metric
        for result in front["model-index"][0]["results"]
        for metric in result["metrics"]
        if metric["name"].startswith(result["dataset"]["split"])
    }
    assert logged.keys() == in_hub.keys() >= {"val/loss", "val/bleu", "test/loss", "test/bleu"}
    for name, value in logged.items():
        exact = at_step(run, name, step)
        assert value == f"{exact:.4g}"
        assert in_hub[name]["value"] == exact
        assert in_hub[name].get("args", {}).get("signature") == signatures.get(name)
        assert rows(text, "Scores")[name][1] == signatures.get(name, "")

    assert (folder / "config.yaml").read_text() == (run / "config.yaml").read_text()
    assert f"{len(logged)} scores of these weights" in capsys.readouterr().out


def at_step(run: Path, name: str, step: int) -> float:
    """What was logged last at a step."""
    with (run / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if int(row["step"]) == step and row[name]][-1]


def test_what_the_folder_has_translates_as_before(run: Path, tmp_path: Path) -> None:
    last = run / "checkpoints" / "last.ckpt"
    assert main(["card", "--ckpt_path", str(last), "--output", str(tmp_path / "card")]) == 0
    kept = tmp_path / "card" / "last.ckpt"
    assert kept.stat().st_size < 0.6 * last.stat().st_size, "no state of the optimizer"
    lines = ["eins zwei", "drei vier fünf"]
    one, other = (load_translator(path).translate(lines) for path in (last, kept))
    assert [each.text for each in one] == [each.text for each in other]
    text = parts(tmp_path / "card" / "README.md")[1]
    best, saved = (torch.load(each)["global_step"] for each in (run / "checkpoints" / "best.ckpt", last))
    assert ("On the test set: not measured." in text) == (best != saved), "the best is what was tested"


def test_an_average_has_no_scores_of_its_own(run: Path, tmp_path: Path) -> None:
    checkpoints = run / "checkpoints"
    sources = [str(checkpoints / name) for name in ("best.ckpt", "last.ckpt")]
    averaged = checkpoints / "averaged.ckpt"
    assert main(["average", *sources, "--output", str(averaged)]) == 0
    assert main(["card", "--ckpt_path", str(averaged), "--output", str(tmp_path / "card")]) == 0
    front, text = parts(tmp_path / "card" / "README.md")
    assert "model-index" not in front
    assert "## Scores\n\nNot measured.\n" in text
    assert rows(text, "Training")["average of"] == ["best.ckpt`, `last.ckpt"]


@pytest.mark.parametrize("kind", ["average", "quantised copy"])
def test_scores_of_other_weights_with_as_many_updates_are_not_told(kind: str, tmp_path: Path) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("experiment: tiny\n")
    best = write(checkpoints / "best.ckpt", tiny_checkpoint(seed=1, step=20))
    metrics = "step,epoch,time,val/bleu,test/bleu\n19,1,1.0,5.0,\n19,1,2.0,6.0,\n19,1,3.0,,7.0\n"  # the last two may
    (tmp_path / "run" / "metrics.csv").write_text(metrics)  # be of a validation and a test of the other weights

    def told() -> tuple[dict[str, list[str]], str]:
        assert main(["card", "--ckpt_path", str(best), "--output", str(tmp_path / "card"), "--overwrite"]) == 0
        _, text = parts(tmp_path / "card" / "README.md")
        return rows(text, "Scores"), text

    assert told()[0] == {"val/bleu": ["6", ""], "test/bleu": ["7", ""]}
    other = tiny_checkpoint(seed=2, step=20)
    other = quantise(other) if kind == "quantised copy" else {**other, "averaged_from": ["a.ckpt", "b.ckpt"]}
    write(checkpoints / "other.ckpt", other)
    scores, text = told()
    assert scores == {"val/bleu": ["5", ""]}, "the first validation of a step is the training's own"
    assert "On the test set: not told apart from what `other.ckpt` reached, which has as many updates." in text
    assert main(["card", "--ckpt_path", str(checkpoints / "other.ckpt"), "--output", str(tmp_path / "of it")]) == 0
    assert "## Scores\n\nNot measured.\n" in parts(tmp_path / "of it" / "README.md")[1]


def test_a_file_alone_says_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "tiny.ckpt", tiny_checkpoint())
    assert main(["card", "--ckpt_path", str(path)]) == 0
    assert "no score of these weights" in capsys.readouterr().out
    front, text = parts(tmp_path / "tiny-card" / "README.md")
    assert front.keys() == {"library_name", "tags"}
    assert "## Scores\n\nNot measured.\n" in text
    training = rows(text, "Training")
    assert training["updates"] == ["100"]
    assert all(training[name] == ["not recorded"] for name in ("seed", "command", "versions", "machine", "Python"))
    assert "The config: not recorded." in text
    assert "Of the weights: not stated." in text
    assert "longest source in training: not recorded;" in text
    assert main(["card", "--ckpt_path", str(path)]) == 2
    assert "has files already" in capsys.readouterr().err
