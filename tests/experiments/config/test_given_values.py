"""A form of data that is given anew: what stays of the one before."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from experiments.cli import main
from tests.experiments.tiny_task import write_tiny_task

TRAIN = "data.init_args.train"
TEXT = "{source: a, target: b, lines: {first: 1, last: 3}, fold_spaces: true}"
TSV = "{tsv: a, columns: {source: 2, target: 0, before: 4}, header: true}"
CSV = "{csv: a, columns: {source: x, target: y}, delimiter: ';', header: false}"
XY = "{source: x, target: y}"

NO_COLUMNS = {"source_column": None, "target_column": None}


def trained_on(
    folder: Path, capsys: pytest.CaptureFixture[str], seed: int, forms: Sequence[str], *options: str
) -> dict[str, object]:
    """The form of the training data after the tiny task's own, some more in a config each, and options."""
    words = ["--config", str(write_tiny_task(folder, seed, train_size=4))]
    for number, form in enumerate(forms):
        config = folder / f"{number}.yaml"
        config.write_text(f"data:\n  init_args:\n    train: {form}\n")
        words += ["--config", str(config)]
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *words, *(f"--{TRAIN}{option}" for option in options), "--print_config"])
    assert exit_info.value.code == 0
    form = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["train"]
    assert isinstance(form, dict)
    return form


@pytest.mark.parametrize("as_option", [False, True])
@pytest.mark.parametrize(
    ("before", "form", "expected"),
    [
        (TSV, "{tsv: c}", {"tsv": "c", "columns": None, "header": False}),
        (TSV, "{class_path: TsvFile, init_args: {tsv: c}}", {"tsv": "c", "columns": None, "header": False}),
        (TEXT, "{tsv: c}", {"tsv": "c", "columns": None, "header": False}),
        (
            CSV,
            f"{{csv: c, columns: {XY}}}",
            {"csv": "c", "columns": {"source": "x", "target": "y"}, "delimiter": ",", "header": True},
        ),
        (
            TEXT,
            "{source: c, target: d}",
            {"source": "c", "target": "d", "lines": None, "fold_spaces": False} | NO_COLUMNS,
        ),
        (
            TEXT,
            "{source: c, target: d, lines: {first: 2}}",
            {"source": "c", "target": "d", "lines": {"first": 2, "last": None}, "fold_spaces": False} | NO_COLUMNS,
        ),
    ],
)
def test_a_mapping_takes_the_place_of_the_form_before(
    as_option: bool,
    before: str,
    form: str,
    expected: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    given = ([before], f"={json.dumps(yaml.safe_load(form))}") if as_option else ([before, form],)
    assert trained_on(tmp_path, capsys, seed, *given) == expected


@pytest.mark.parametrize(
    ("before", "options", "expected"),
    [
        (TSV, [".tsv=c"], {"tsv": "c", "columns": {"source": 2, "target": 0, "before": 4}, "header": True}),
        (TSV, [".tsv=😀"], {"tsv": "😀", "columns": {"source": 2, "target": 0, "before": 4}, "header": True}),
        (TSV, [".columns.source=7"], {"tsv": "a", "columns": {"source": 7, "target": 0, "before": 4}, "header": True}),
        (
            TEXT,
            [".lines.first=2"],
            {"source": "a", "target": "b", "lines": {"first": 2, "last": 3}, "fold_spaces": True} | NO_COLUMNS,
        ),
    ],
)
def test_an_option_of_the_same_form_changes_that_alone(
    before: str,
    options: list[str],
    expected: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    assert trained_on(tmp_path, capsys, seed, [before], *options) == expected


@pytest.mark.parametrize(
    ("before", "options", "expected"),
    [
        (TEXT, [".tsv=c"], {"tsv": "c", "columns": None, "header": False}),
        (CSV, [".tsv=c"], {"tsv": "c", "columns": None, "header": False}),
        (TSV, [".csv=c"], {"csv": "c", "columns": None, "delimiter": ",", "header": True}),
        (
            TSV,
            [".class_path=CsvFile", ".init_args.csv=c"],
            {"csv": "c", "columns": None, "delimiter": ",", "header": True},
        ),
        (TSV, [".jsonl=c", f".columns={XY}"], {"jsonl": "c", "columns": {"source": "x", "target": "y"}}),
    ],
)
def test_an_option_of_another_form_keeps_nothing(
    before: str,
    options: list[str],
    expected: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    assert trained_on(tmp_path, capsys, seed, [before], *options) == expected


@pytest.mark.parametrize("before", [TSV, TEXT])
@pytest.mark.parametrize("as_option", [False, True])
def test_a_form_may_be_a_file_of_its_own(
    as_option: bool, before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    (tmp_path / "form.yaml").write_text("tsv: c\n")
    file = str(tmp_path / "form.yaml")
    given = ([before], f"={file}") if as_option else ([before, file],)
    assert trained_on(tmp_path, capsys, seed, *given) == {"tsv": "c", "columns": None, "header": False}


def test_columns_that_the_new_form_needs_are_not_those_of_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=4)
    words = [f"--{TRAIN}", TSV, f"--{TRAIN}.csv", "c"]
    assert main(["fit", "--config", str(config), *words]) == 2
    assert capsys.readouterr().err == "seqlab: error: data: train: the following arguments are required: columns\n"


def test_a_mapping_without_a_file_is_no_form(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    config = write_tiny_task(tmp_path, seed, train_size=4)
    assert main(["fit", "--config", str(config), f"--{TRAIN}", TSV, f"--{TRAIN}", "{header: false}"]) == 2
    assert capsys.readouterr().err == (
        "seqlab: error: data: train: header alone tells no file, and a mapping takes the place of all that was given "
        "before: give {tsv: ...} or {csv: ..., columns: ...}, or change one key by an option, train.KEY\n"
    )
