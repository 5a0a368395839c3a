"""Baselines by hand, against another way to find the nearest text, and in the table of the command."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.excerpts import LastTurns
from experiments.baselines import FirstSentence, MostFrequent, NearestNeighbour, Templates, TfIdfRegression
from experiments.cli import main


@pytest.mark.parametrize(
    ("baseline", "source", "written"),
    [
        (FirstSentence(), "Dato 2.0 is fast. It is new.", "Dato 2.0 is fast."),
        (FirstSentence(3), "Dato 2.0 is fast. It is new.", "Dato 2.0 is"),
        (FirstSentence(3, strip_subject=True), "Dato is a tool for files. New.", "tool for files"),
        (FirstSentence(strip_subject=True), "A tool for files.", "A tool for files"),
    ],
)
def test_the_first_sentence(baseline: FirstSentence, source: str, written: str) -> None:
    assert baseline.write(source) == written


def test_the_nearest_neighbour_has_the_greatest_cosine(seed: int) -> None:
    draw = random.Random(seed)
    sources = [" ".join(draw.choices("abcdefghij", k=draw.randint(1, 9))) for _ in range(40)]
    baseline = NearestNeighbour()
    baseline.learn(sources, [str(number) for number in range(len(sources))])
    documents = {word: sum(word in each.split() for each in sources) for word in "abcdefghij"}

    def vector(text: str) -> list[float]:
        counts = [text.split().count(word) for word in documents]
        weights = [
            (1 + math.log(count)) * math.log(len(sources) / documents[word]) if count and documents[word] else 0.0
            for count, word in zip(counts, documents, strict=True)
        ]
        length = math.sqrt(sum(weight**2 for weight in weights)) or 1.0
        return [weight / length for weight in weights]

    for _ in range(20):
        query = " ".join(draw.choices("abcdefghij", k=5))
        cosines = [sum(x * y for x, y in zip(vector(query), vector(each), strict=True)) for each in sources]
        assert cosines[int(baseline.write(query))] == pytest.approx(max(cosines))
    last = NearestNeighbour(LastTurns(1))
    last.learn(["<usr> x <sys> y <usr> bye", "<usr> bye <sys> y <usr> x"], ["first", "second"])
    assert last.write("<usr> x <sys> x <usr> bye") == "first"


def test_templates_take_values_out_and_put_others_in() -> None:
    baseline = Templates()
    sources = [
        "OFFER place = Dato ; OFFER city = Bre <usr> a",
        "OFFER city = Ko ; OFFER place = Rulo Inn <usr> b",
        "INFORM open = True <usr> c",
        "INFORM open = False <usr> d",
        "GOODBYE <usr> e",
    ]
    targets = ["Dato in Bre?", "rulo inn in Ko?", "Yes, it is open.", "No, it is not.", "Bye."]
    baseline.learn(sources, targets)
    assert baseline.write("OFFER place = Mu ; OFFER city = Ta <usr> z") == "Mu in Ta?"
    assert baseline.write("INFORM open = False <usr> z") == "No, it is not."
    assert baseline.write("GOODBYE ; INFORM open = True <usr> z") == "Bye. Yes, it is open."
    assert baseline.write("REQUEST name <usr> z") == ""
    assert baseline.write("INFORM parking = False <usr> z") == "No, it is not."  # a slot that training does not have
    assert baseline.write("OFFER hotel = Mu ; OFFER town = Ta <usr> z") == "Mu in Ta?"
    assert [baseline.write(source) for source in sources[::2]] == targets[::2]
    with pytest.raises(UserError, match="no training source does"):
        baseline.learn(["<usr> a"], ["b"])


@pytest.mark.parametrize(
    ("source", "target", "asked", "written"),
    [
        ("OFFER city = San Jose ; OFFER kind = city", "San Jose is a city.", "{} = Ta ; {} = town", "Ta is a town."),
        ("COUNT n = 0 ; OFFER city = Bre", "0 in Bre.", "COUNT n = 5 ; OFFER city = Ta", "5 in Ta."),
        ("OFFER a = Bre | 1 | 0", "Bre, 1 or 0?", "OFFER a = Ta | 7 | 8", "Ta, 7 or 8?"),
        ("OFFER a = San Jose ; OFFER b = San", "San, San Jose.", "OFFER a = Ta ; OFFER b = T", "T, Ta."),
    ],
)
def test_a_value_may_be_a_word_of_anothers_place(source: str, target: str, asked: str, written: str) -> None:
    baseline = Templates()
    baseline.learn([f"{source} <usr> a"], [target])
    assert baseline.write(f"{asked.format('OFFER city', 'OFFER kind')} <usr> b") == written


def test_the_most_frequent_target() -> None:
    baseline = MostFrequent()
    baseline.learn(["a", "b", "c"], ["x", "y", "y"])
    assert baseline.write("anything") == "y"


def test_the_regression_reads_words_and_pairs_of_words() -> None:
    sources = [f"{first} not {second} {rest}" for first in "ab" for second in "ab" for rest in "xyz" if first != second]
    targets = [source[0] for source in sources]
    for order, right in ((2, True), (1, False)):
        baseline = TfIdfRegression(order=order)
        baseline.learn(sources, targets)
        assert ([baseline.write(source) for source in sources] == targets) is right
    with pytest.raises(UserError, match="cannot be fitted to the training texts"):
        TfIdfRegression().learn(["a b", "a c"], ["x", "x"])
    with pytest.raises(UserError, match="least of TfIdfRegression is 0"):
        TfIdfRegression(least=0)


def test_the_command_measures_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [f"--config={Path('configs/birnn').resolve() / name}.yaml" for name in ("sample_text", "baselines")]
    monkeypatch.chdir(tmp_path)
    assert main(["baseline", *configs, f"--data.init_args.cache_directory={tmp_path / 'cache'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(lines) if "test/accuracy" in line)
    assert lines[header].split() == ["test/accuracy", "test/macro_f1"]
    rows = {line[:27].strip(): [float(cell) for cell in line[27:].split()] for line in lines[header + 1 :]}
    assert list(rows) == ["most frequent", "nearest neighbour", "tf-idf, logistic regression"]
    assert rows["most frequent"][1] < 1 / 6 < rows["tf-idf, logistic regression"][1] < 1
    assert main(["baseline", *configs, "--metrics", "[Akuracy]"]) == 2
    assert "did you mean 'experiments.metrics.Accuracy'" in capsys.readouterr().err


def test_the_command_prints_the_metrics_of_a_test_for_each_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [f"--data.init_args.{name}_size={size}" for name, size in (("train", 200), ("val", 20), ("test", 30))]
    configs = [f"--config={Path('configs/dialogue').resolve() / name}.yaml" for name in ("sample", "baselines")]
    monkeypatch.chdir(tmp_path)
    assert main(["baseline", *configs, *sizes, f"--data.init_args.cache_directory={tmp_path / 'cache'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(lines) if "test/bleu" in line)
    assert lines[header].split()[:2] == ["test/bleu", "test/distinct_2"]
    rows = {line[:21].strip(): line[21:].split() for line in lines[header + 1 : header + 4]}
    assert list(rows) == ["most frequent", "nearest acts and turn", "templates"]
    assert rows["templates"] == ["100.00", rows["templates"][1], "1.00", "1.00", "1.00"]
    assert float(rows["most frequent"][0]) < float(rows["nearest acts and turn"][0]) < 100
    assert "case:lc" in lines[header + 4]
    assert not list(tmp_path.glob("runs*"))
    assert main(["baseline", configs[0]]) == 2
    assert "no baseline is named: add a config with baselines" in capsys.readouterr().err
