"""Every study of the project can be said: the command of each of its runs is one that ``seqlab fit`` understands."""

from pathlib import Path

import pytest

from experiments.cli import main
from experiments.studies.plan import planned_runs
from experiments.studies.study import STUDIES, known_studies, read_study

STUDY_FILES = known_studies(Path(__file__).parents[3] / STUDIES)


@pytest.mark.parametrize("name", STUDY_FILES)
def test_every_variant_is_a_config(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    study = read_study(STUDY_FILES[name])
    for run in planned_runs(study, "quick", [1], tmp_path):
        with pytest.raises(SystemExit) as ended:
            main([*run.words, "--print_config"])
        assert ended.value.code in (None, 0), run.command
        assert "class_path" in capsys.readouterr().out
    assert [run.title for run in planned_runs(study, "full", [1], tmp_path)], "full is a preset of every study"
