"""What Python gets of seqlab, by its public module alone."""

from __future__ import annotations

import io
import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import seqlab
from experiments.cli import main
from experiments.studies.results import Results
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.kernels import packed_weights
from tests.experiments.pieces_checkpoint import pieces_checkpoint, sentences
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tiny_task import write_tiny_task

LINES = ["abc", "", "hgfedcba", "  ", "a b\u2028c d", "ü", "gagb"]


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tiny") / "best.ckpt", tiny_checkpoint())


def as_the_command(best: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch, output: Path) -> list[str]:
    """What ``seqlab translate`` writes for the lines, and its scores beside it."""
    text = "".join(f"{line}\n" for line in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["translate", "--ckpt_path", str(best), "--output", str(output), "--scores", f"{output}.tsv"]) == 0
    return output.read_text().removesuffix("\n").split("\n")


def test_lines_are_translated_as_the_command_does(best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = seqlab.load(best).translate(LINES)
    assert [each.text for each in found] == as_the_command(best, LINES, monkeypatch, tmp_path / "out")
    scores = [row.split("\t") for row in (tmp_path / "out.tsv").read_text().splitlines()]
    assert [each.score for each in found] == pytest.approx([float(row[1]) for row in scores], abs=1e-5)
    assert [each.log_probability for each in found] == pytest.approx([float(row[2]) for row in scores], abs=1e-5)


def test_a_hypothesis_has_tokens_with_their_probabilities_and_attention(best: Path) -> None:
    for path in (str(best), best, [best, str(best)]):
        one, empty = seqlab.load(path).translate(["abc", ""])
        assert one.tokens[-1] == "</s>"
        assert "".join(one.tokens[:-1]) == one.text
        assert one.source_tokens == ("a", "b", "c", "</s>")
        assert one.probabilities.shape == (len(one.tokens),)
        assert np.log(one.probabilities).sum() == pytest.approx(one.log_probability, abs=1e-5)
        assert one.attention is not None
        assert one.attention.shape == (len(one.tokens), len(one.source_tokens))
        assert isinstance(one.attention, np.ndarray)
        np.testing.assert_allclose(one.attention.sum(axis=1), 1.0, rtol=1e-5)
        assert (empty.text, empty.tokens, empty.score, empty.attention) == ("", (), 0.0, None)


def test_several_hypotheses_and_none(best: Path) -> None:
    translator = seqlab.load(best)
    assert translator.translate([]) == []
    found, empty = translator.hypotheses(["abc", ""], translator.beam_search(n_best=3))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len({each.text for each in found}) == 3
    assert [each.text for each in empty] == [""]
    assert (
        found[0].text == translator.translate(["abc\n"])[0].text == translator.translate(["abc"], batch_size=1)[0].text
    )


def test_a_model_without_attention(tmp_path: Path) -> None:
    (found,) = seqlab.load(write(tmp_path / "blind.ckpt", tiny_checkpoint(attention="NoAttention"))).translate(["abc"])
    assert found.attention is None
    assert len(found.tokens) == len(found.probabilities)


def test_threads_share_a_translator(tmp_path: Path) -> None:
    translator = seqlab.load(write(tmp_path / "pieces.ckpt", pieces_checkpoint()))
    requests = [sentences(count, seed) for seed, count in enumerate([1, 7, 3, 12, 1, 5, 2, 9, 4, 1, 6, 8])]
    apart = [translator.translate(lines) for lines in requests]
    assert len({each.text for found in apart for each in found}) > 30
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(translator.translate, requests * 2))
    for before, after in zip(apart * 2, at_once, strict=True):
        for one, other in zip(before, after, strict=True):
            assert (one.text, one.tokens) == (other.text, other.tokens)
            assert one.score == pytest.approx(other.score, abs=1e-6)
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    (model,) = translator.members
    assert not model.training


def test_weights_are_laid_out_once_for_all_calls(best: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[torch.Tensor] = []

    class Counted(packed_weights.Float32Weight):
        def __init__(self, weight: torch.Tensor) -> None:
            laid_out.append(weight)
            super().__init__(weight)

    monkeypatch.setattr(packed_weights, "Float32Weight", Counted)
    translator = seqlab.load(best)
    translator.translate(["abc"])
    first = len(laid_out)
    assert first > 3
    texts = [each.text for each in translator.translate(["gagb", "hgfedcba"])]
    assert len(laid_out) == first
    with torch.no_grad():
        for weight in translator.members[0].parameters():
            weight.neg_()
    assert [each.text for each in translator.translate(["gagb", "hgfedcba"])] != texts, "but anew when they change"


class OwnSearch(GreedySearch):
    """A part of a package that is not seqlab's."""


@pytest.mark.parametrize("trust", ["tests", ["tests"]])
def test_a_package_that_is_trusted(trust: str | list[str], tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    own = {"class_path": f"{__name__}.OwnSearch", "init_args": {"max_length": 7}}
    checkpoint["hyper_parameters"]["test_search"] = own
    path = write(tmp_path / "own.ckpt", checkpoint)
    with pytest.raises(seqlab.UserError, match="add --trust tests"):
        seqlab.load(path)
    translator = seqlab.load(path, trust)
    assert isinstance(translator.members[0].test_search, OwnSearch)
    assert len(translator.translate(["abc"])[0].tokens) <= 8


def test_one_line_for_what_a_person_can_mend(best: Path, tmp_path: Path) -> None:
    translator = seqlab.load(best)
    calls = {
        r"there is no checkpoint .*bst\.ckpt; did you mean 'best\.ckpt'": lambda: seqlab.load(
            best.with_name("bst.ckpt")
        ),
        "there is no device 'nowhere' here": lambda: seqlab.load(best, device="nowhere"),
        r"give \['abc'\] for one": lambda: translator.translate("abc"),
        "line 2 is a bytes": lambda: translator.translate(["a", b"abc"]),
        "line 1 holds half of a surrogate pair": lambda: translator.translate(["a\ud800"]),
        "batch_size is 0": lambda: translator.translate(["a"], batch_size=0),
        "n_best is 9, but a beam of 5 finds 5 at most": lambda: translator.beam_search(n_best=9),
        "path is 3, but has to be a path, or a list of them": lambda: seqlab.load(3),
        "no checkpoint is given": lambda: seqlab.load([]),
        "there are no results of a study in": lambda: seqlab.study_results(tmp_path),
        "there is no metrics.csv in": lambda: seqlab.run_metrics(tmp_path),
        "best.ckpt is no table of metrics": lambda: seqlab.run_metrics(best),
        "nix.yaml: there is no such file": lambda: seqlab.load_experiment("nix.yaml"),
    }
    for message, call in calls.items():
        with pytest.raises(seqlab.UserError, match=message) as told:
            call()
        assert "\n" not in str(told.value)


def test_an_experiment_trains_as_the_command_does(tmp_path: Path) -> None:
    config = write_tiny_task(tmp_path, seed=5, train_size=150)
    options = {"trainer.max_epochs": 1, "trainer.limit_val_batches": 1, "model.init_args.dropout": 0.2}
    words = [f"--{name}={value}" for name, value in options.items()]
    assert main(["fit", "--config", str(config), *words, "--trainer.default_root_dir", str(tmp_path / "command")]) == 0
    root = tmp_path / "python"
    options["trainer.default_root_dir"] = str(root)
    model, data, trainer = seqlab.load_experiment(config, {f"--{name}": value for name, value in options.items()})
    other = seqlab.load_experiment([str(config)], [f"{name}={value}" for name, value in options.items()])
    assert not root.exists()
    assert (trainer.default_root_dir, other.trainer.default_root_dir) == tuple(
        str(root / "tiny" / each) for each in "12"
    )
    trainer.validate(model, data, verbose=False)
    trainer.fit(model, data)
    other.trainer.fit(other.model, other.data)
    by_command = tmp_path / "command" / "tiny" / "1"
    for run in (root / "tiny" / "1", root / "tiny" / "2"):
        assert {path.name for path in run.iterdir()} >= {path.name for path in by_command.iterdir()}
        expected, found = (torch.load(each / "checkpoints" / "last.ckpt") for each in (by_command, run))
        torch.testing.assert_close(found["state_dict"], expected["state_dict"], rtol=0, atol=0)
        command = json.loads((run / "record.json").read_text())["command"]
        assert command.startswith(f"seqlab fit --config={config} --trainer.max_epochs=1 ")
    assert seqlab.load(by_command).translate(["eins zwei"])[0].score == pytest.approx(
        seqlab.load(root / "tiny" / "2").translate(["eins zwei"])[0].score
    )


def test_what_a_run_logged(tmp_path: Path) -> None:
    table = tmp_path / "metrics.csv"
    table.write_text("step,epoch,time,train/loss,val/loss\n4,0,1.5,2.5,\n8,0,2.5,1.25,\n8,0,2.75,,1.75\n9,1,3.0,1.0\n")
    for path in (tmp_path, str(table)):
        logged = seqlab.run_metrics(path)
        assert (logged["train/loss"].steps, logged["train/loss"].values) == ([4, 8, 9], [2.5, 1.25, 1.0])
        assert logged["val/loss"] == seqlab.Series([8], [1.75])


def test_a_directory_that_another_process_took(tmp_path: Path) -> None:
    config = write_tiny_task(tmp_path, seed=5, train_size=40)
    model, data, trainer = seqlab.load_experiment(config, {"trainer.logger": False})
    Path(trainer.default_root_dir).mkdir(parents=True)
    with pytest.raises(seqlab.UserError, match="was begun by another training in the meantime"):
        trainer.fit(model, data)


def test_the_results_of_a_study_are_numbers(tmp_path: Path) -> None:
    directory = tmp_path / "mine" / "quick"
    directory.mkdir(parents=True)
    results = Results(directory / "results.csv")
    row = dict.fromkeys(["error", "started", "data_order", "run", "commit", "configs", "command", "test_command"], "")
    for variant, loss in (("none", "0.25"), ("some", "")):
        numbers = {"updates": "40", "parameters": "1234", "seconds": "2.5", "test/loss": loss}
        results.put(("", variant, 2), {**row, "status": "finished", **numbers})
    for path in (directory, str(directory / "results.csv")):
        rows = seqlab.study_results(path)
        assert [each["variant"] for each in rows] == ["none", "some"]
        assert [each["seed"] for each in rows] == [2, 2]
        assert (rows[0]["updates"], rows[0]["seconds"], rows[0]["test/loss"]) == (40, 2.5, 0.25)
        assert rows[0]["error"] is None
        assert rows[1].get("test/loss") is None
    with pytest.raises(seqlab.UserError, match=f"give {directory}$"):
        seqlab.study_results(tmp_path / "mine")
    if find_spec("pandas") is None:
        with pytest.raises(seqlab.UserError, match="pip install pandas"):
            rows.frame()
    else:
        frame = rows.frame()
        assert frame["test/loss"][0] == 0.25
        assert math.isnan(frame["test/loss"][1])


def test_the_public_names_are_there() -> None:
    assert set(seqlab.__all__) <= set(dir(seqlab)) | set(seqlab._LATE)
    for name in seqlab.__all__:
        assert getattr(seqlab, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'translate'"):
        seqlab.translate  # noqa: B018 - that there is none
