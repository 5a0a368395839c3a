"""The configs that come with seqlab, in a directory that has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.config.shipped_configs import find_config, shipped_configs
from experiments.studies.plan import hash_of
from experiments.studies.study import known_studies

PROJECT = Path(__file__).parents[3]
DATES = "configs/nmt/dates.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    line = capsys.readouterr().err
    assert line.startswith("seqlab: error: ")
    assert line.count("\n") == 1
    return line


def test_a_config_is_found_in_any_directory(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--config", DATES], [f"--config=./{DATES}"], ["-c", DATES]):
        with pytest.raises(SystemExit) as ended:
            main(["fit", *words, "--trainer.max_epochs", "7", "--print_config"])
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert "experiment: dates\n" in told
        assert "max_epochs: 7\n" in told


def test_one_of_the_working_directory_comes_first(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "copy", DATES]) == 0
    assert capsys.readouterr().out == f"{DATES}\n"
    own = elsewhere / DATES
    own.write_text(own.read_text().replace("experiment: dates\n", "experiment: mine\n"))
    with pytest.raises(SystemExit):
        main(["fit", "--config", DATES, "--print_config"])
    assert "experiment: mine\n" in capsys.readouterr().out
    assert find_config(Path(DATES)) == Path(DATES)
    assert hash_of([DATES]) != hash_of([str(PROJECT / DATES)])


def test_a_mistyped_one_is_close_to_one_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "fit", "--config", "configs/nmt/date.yaml")
    assert "--config configs/nmt/date.yaml: there is no such file; did you mean 'configs/nmt/dates.yaml'" in line


@pytest.mark.parametrize("name", ["dates", "dates.yaml", "date.yaml", "date"])
def test_a_name_alone_leads_to_the_path(name: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'configs/nmt/dates.yaml'" in refusal(capsys, "configs", "copy", name)
    if name.endswith("yaml"):
        assert "did you mean 'configs/nmt/dates.yaml'" in refusal(capsys, "fit", "--config", name)


def test_studies_and_searches_are_found_too(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"attention", "bottleneck"} <= set(known_studies())
    assert hash_of([DATES]) == hash_of([str(PROJECT / DATES)])
    own = elsewhere / "configs" / "studies" / "attention.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("question: Mine?\n")
    assert main(["study"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"^  attention +Mine\?$", listed, re.MULTILINE)
    assert re.search(r"^  bottleneck +How does accuracy fall with length", listed, re.MULTILINE)
    assert "unknown study 'nix': there are attention, attention_text, bottleneck" in refusal(capsys, "study", "nix")
    assert "did you mean 'configs/tune/dates.yaml'" in refusal(capsys, "tune", "--config", "configs/tune/date.yaml")


def test_they_are_listed_with_what_they_say_of_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in rows] == sorted(
        str(path.relative_to(PROJECT)) for path in PROJECT.glob("configs/**/*.yaml")
    )
    told = dict(rows)
    assert told[DATES] == "The embedded default: dates in words, English to French."
    assert all(summary[0].isupper() and summary[-1] in ".?:" for summary in told.values())


def test_a_folder_is_copied_and_nothing_is_replaced(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "copy", "configs/nmt", "configs/trainer/cpu.yaml", "--to", "mine"]) == 0
    copied = capsys.readouterr().out.splitlines()
    names = ("nmt/dates", "nmt/multi30k", "nmt/multi30k_transformer", "trainer/cpu")
    assert copied == [f"mine/configs/{name}.yaml" for name in names]
    for name in copied:
        assert (elsewhere / name).read_bytes() == shipped_configs()[name.removeprefix("mine/")].read_bytes()
    (elsewhere / copied[1]).unlink()
    line = refusal(capsys, "configs", "copy", "configs/nmt", "--to", "mine")
    assert "mine/configs/nmt/dates.yaml is there already" in line
    assert not (elsewhere / copied[1]).exists()


def test_one_line_for_what_cannot_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "configs", "copy", "configs/nmt/date.yaml")
    assert "seqlab has no config 'configs/nmt/date.yaml': did you mean 'configs/nmt/dates.yaml'" in line
    assert "say what to copy" in refusal(capsys, "configs", "copy")
    assert "seqlab configs --help" in refusal(capsys, "configs", "list")
    assert "unknown option '--ot': did you mean '--to'" in refusal(capsys, "configs", "copy", DATES, "--ot")
