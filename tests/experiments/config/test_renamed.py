"""Class paths from before their rooms moved: configs and options that have them name the same classes as ever."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from experiments.cli import main
from experiments.config.class_paths import resolve
from experiments.config.renamed import CLASS_PATHS, MOVED, moved, moved_path
from experiments.runs.given_configs import with_config_of_run
from tests.experiments.tiny_task import write_tiny_task


@pytest.mark.parametrize("before", MOVED)
def test_every_class_of_a_room_that_moved_is_found_by_its_path_from_before(before: str) -> None:
    room = importlib.import_module(MOVED[before].removesuffix("."))
    classes = [name for name in getattr(room, "__all__", dir(room)) if isinstance(getattr(room, name), type)]
    assert classes
    for name in classes:
        assert resolve(moved_path(before + name)) is getattr(room, name)


def test_other_values_stay_as_they_are() -> None:
    value = {"a": ["experiments.runs.experiment.Experiment", 1, None, {"b": True}], "c": "my.callbacks.Mine"}
    assert moved(value) == value
    for changed in CLASS_PATHS:
        assert moved_path(changed) == changed


def test_a_config_and_options_from_before_are_read_as_those_of_today(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=40)
    before = tmp_path / "before.yaml"
    before.write_text(config.read_text().replace("experiments.callbacks", "experiments.runs.callbacks"))

    def printed(config: Path, *options: str) -> dict[str, object]:
        with pytest.raises(SystemExit):
            main(["fit", "--config", str(config), *options, "--print_config"])
        shown: dict[str, object] = yaml.safe_load(capsys.readouterr().out)
        return shown

    options = (
        "--trainer.logger=experiments{}.loggers.MetricsCSV",
        "--trainer.callbacks+=experiments{}.callbacks.ExposureBias",
        "--trainer.callbacks+={{class_path: experiments{0}.callbacks.TextMetrics, "
        "init_args: {{metrics: [experiments{0}.metrics.BLEU]}}}}",
    )
    runs = [option.format(".runs") for option in options]
    now = printed(config, *(option.format("") for option in options))
    assert "experiments.callbacks.ExposureBias" in str(now)
    assert "experiments.runs" in before.read_text() + str(runs)
    assert printed(before, *runs) == now


def test_a_renamed_class_is_told_its_new_name(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=40)
    name = "experiments.runs.callbacks.MetricsCutBack"
    assert main(["fit", "--config", str(config), f"--trainer.callbacks+={name}"]) == 2
    assert f"{name} is called experiments.callbacks.TruncateMetrics now" in capsys.readouterr().err


def test_the_config_of_a_run_from_before_is_trusted_as_one_of_today(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    callback = {"class_path": "experiments.runs.callbacks.TextMetrics"}
    config.write_text(yaml.safe_dump({"trainer": {"callbacks": [callback]}}))
    words = with_config_of_run(["test", "--ckpt_path", str(tmp_path)])
    assert words[:3] == ["test", "--config", str(config)]
