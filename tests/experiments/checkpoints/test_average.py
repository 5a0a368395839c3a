"""``seqlab average``: the mean of checkpoints of one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer
from experiments.checkpoints.averaging import average_checkpoints, last_checkpoints
from experiments.checkpoints.quantising import is_quantised, quantise
from experiments.checkpoints.reading import read_checkpoint
from experiments.cli import main
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with checkpoints of four steps, whose best and last are copies of two of them."""
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for epoch, step in [(9, 90), (10, 100), (11, 110), (8, 80)]:
        write(checkpoints / f"epoch={epoch}.ckpt", tiny_checkpoint(seed=epoch, step=step))
    write(checkpoints / "best.ckpt", tiny_checkpoint(seed=9, step=90))
    write(checkpoints / "last.ckpt", tiny_checkpoint(seed=11, step=110))
    return tmp_path / "run"


def test_the_mean_of_weights_and_the_rest_of_the_last(tmp_path: Path) -> None:
    first, second, third = (tiny_checkpoint(seed=seed, step=step) for seed, step in [(1, 10), (2, 30), (3, 20)])
    for number, checkpoint in enumerate((first, second, third)):
        checkpoint["state_dict"]["count"] = torch.tensor(number)
        checkpoint["state_dict"]["half"] = torch.tensor([1.0 + number], dtype=torch.bfloat16)
    paths = [write(tmp_path / f"{n}.ckpt", each) for n, each in enumerate((first, second, third))]
    average = average_checkpoints(paths)
    for name, weight in average["state_dict"].items():
        assert weight.dtype == first["state_dict"][name].dtype
        if name != "count":
            stacked = torch.stack([each["state_dict"][name].double() for each in (first, second, third)])
            torch.testing.assert_close(weight, stacked.mean(dim=0).to(weight.dtype), rtol=0, atol=0)
    assert average["state_dict"]["count"] == 1
    assert average["global_step"] == 30
    assert average["averaged_from"] == ["0.ckpt", "1.ckpt", "2.ckpt"]
    assert average["hyper_parameters"] == first["hyper_parameters"]
    assert average_checkpoints(paths[::-1])["state_dict"]["count"] == 1


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        checkpoint = tiny_checkpoint(seed=seed)
        checkpoint["state_dict"]["tied"] = checkpoint["state_dict"]["output.weight"]
        paths.append(write(tmp_path / f"{seed}.ckpt", checkpoint))
    weights = average_checkpoints(paths)["state_dict"]
    assert weights["tied"].data_ptr() == weights["output.weight"].data_ptr()


def test_one_line_for_what_is_not_one_run(tmp_path: Path) -> None:
    one = write(tmp_path / "one.ckpt", tiny_checkpoint())

    def refusal(change: Callable[[dict[str, Any]], object]) -> str:
        checkpoint = tiny_checkpoint()
        change(checkpoint)
        other = write(tmp_path / "other.ckpt", checkpoint)
        with pytest.raises(UserError) as caught:
            average_checkpoints([one, other])
        assert str(one) in str(caught.value)
        assert str(other) in str(caught.value)
        return str(caught.value)

    assert "extra, which only" in refusal(lambda made: made["state_dict"].update(extra=torch.zeros(1)))
    assert "output.bias, which only" in refusal(lambda made: made["state_dict"].pop("output.bias"))
    assert "(14,) and (3,)" in refusal(lambda made: made["state_dict"].update({"output.bias": torch.zeros(3)}))
    assert "torch.float32 and torch.float64" in refusal(
        lambda made: made["state_dict"].update({"output.bias": torch.zeros(14).double()})
    )
    assert "hyper_parameters.optimizer.init_args.lr: 0.01 and 0.1" in refusal(
        lambda made: made["hyper_parameters"]["optimizer"]["init_args"].update(lr=0.1)
    )
    assert "hyper_parameters.dropout: None and 0.5" in refusal(
        lambda made: made["hyper_parameters"].update(dropout=0.5)
    )
    assert "datamodule_hyper_parameters.test" in refusal(
        lambda made: made["datamodule_hyper_parameters"].update(test={"tsv": "test.tsv"})
    )
    shuffled = CharacterTokenizer()
    shuffled.train(["ABCDEFGÜ XH"])
    assert "their tokenizers" in refusal(
        lambda made: made["TranslationDataModule"].update(target_tokenizer=shuffled.describe())
    )
    with pytest.raises(UserError, match="given twice"):
        average_checkpoints([one, one])
    with pytest.raises(UserError, match="nothing to average"):
        average_checkpoints([])
    with pytest.raises(UserError, match="there is no checkpoint"):
        average_checkpoints([one, tmp_path / "two.ckpt"])


def test_the_last_steps_of_a_run_without_copies_and_averages(run: Path) -> None:
    write(run / "checkpoints" / "averaged.ckpt", {**tiny_checkpoint(step=120), "averaged_from": ["a", "b"]})
    found = last_checkpoints(run, 3)
    assert [read_checkpoint(path)["global_step"] for path in found] == [90, 100, 110]
    assert last_checkpoints(run / "checkpoints", 3) == found
    with pytest.raises(UserError, match="checkpoints of 4 steps, not 5"):
        last_checkpoints(run, 5)
    with pytest.raises(UserError, match="there is no directory"):
        last_checkpoints(run / "no", 1)


def test_a_quantised_copy_takes_no_place_in_an_average(run: Path) -> None:
    before = last_checkpoints(run, 2)
    quantised = write(run / "checkpoints" / "small.ckpt", quantise(tiny_checkpoint(seed=11, step=110)))
    assert last_checkpoints(run, 2) == before, "although its name is the last of those of its step"
    made = average_checkpoints([*before, quantised])
    assert not is_quantised(made), "its weights are none of eight bits"


def test_the_command_writes_a_checkpoint(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = run / "checkpoints" / "averaged.ckpt"
    assert main(["average", "--run", str(run), "--last", "2", "--output", str(output)]) == 0
    expected = average_checkpoints([run / "checkpoints" / "epoch=10.ckpt", run / "checkpoints" / "last.ckpt"])
    torch.testing.assert_close(read_checkpoint(output)["state_dict"], expected["state_dict"], rtol=0, atol=0)
    assert str(output) in capsys.readouterr().out


def test_the_command_refuses_with_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*words: str | Path) -> str:
        assert main(["average", *map(str, words)]) == 2
        line = capsys.readouterr().err
        assert line.startswith("seqlab: error: ")
        assert line.count("\n") == 1
        return line

    assert f"{run.parent} is no run: give one of its runs, {run}\n" in refusal(
        "--run", run.parent, "--last", "2", "--output", run / "new.ckpt"
    )
    best, other, output = (run / "checkpoints" / name for name in ("best.ckpt", "last.ckpt", "new.ckpt"))
    assert "give either checkpoints" in refusal("--output", output)
    assert "give either checkpoints" in refusal(best, "--run", run, "--last", "2", "--output", output)
    assert "go together" in refusal("--run", run, "--output", output)
    assert "go together" in refusal(best, "--last", "3", "--output", output)
    assert "--last is 0" in refusal("--run", run, "--last", "0", "--output", output)
    before = best.read_bytes()
    assert "is there already" in refusal(best, other, "--output", best)
    assert best.read_bytes() == before
    assert not output.exists()
    assert f"--output {run} is a directory" in refusal(best, other, "--output", run, "--overwrite")
    assert main(["average", str(best), str(other), "--output", str(best), "--overwrite"]) == 0
    assert read_checkpoint(best)["averaged_from"] == ["best.ckpt", "last.ckpt"]
