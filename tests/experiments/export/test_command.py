"""``seqlab export``: a trained model used without seqlab, and what is refused in one line."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import sentencepiece

from experiments.checkpoints.loading import load_translator
from experiments.cli import main
from experiments.export import checking
from tests.experiments.export.program import PROGRAM, written_by_the_program
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write
from tests.experiments.tiny_task import write_tiny_task

LINES = ["eins zwei drei", "sechs", "vier fünf eins eins zwei neun"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.ckpt", tiny_checkpoint())


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["export", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_program_of_thirty_lines_translates_as_seqlab_does(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_tiny_task(tmp_path, seed)
    assert main(["fit", "--config", str(config), "--seed_everything", str(seed), "--trainer.max_epochs", "6"]) == 0
    run = tmp_path / "runs" / "tiny" / "1"
    capsys.readouterr()
    assert main(["export", "--ckpt_path", str(run), "--format", "onnx"]) == 0
    folder = run / "checkpoints" / "best-onnx"
    printed = capsys.readouterr().out
    assert all(f"{folder / name}  " in printed for name in names(folder))
    text = PROGRAM.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert "import seqlab" not in text
    translator = load_translator(run)
    wanted = translator.translate(LINES, translator.greedy_search())
    assert [written_by_the_program(folder, line) for line in LINES] == [translation.text for translation in wanted]


def test_what_model_json_says_is_what_the_graphs_have(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime

    folder = tiny.parent / "graphs"
    assert main(["export", "--ckpt_path", str(tiny), "--format", "onnx", "--output", str(folder)]) == 0
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert model["ids"] == {"pad": 0, "bos": 1, "eos": 2, "unk": 3}
    assert model["length_limit"]["further"] == 12
    assert model["greatest_difference"] < checking.TOLERANCE
    for graph in ("encoder", "step"):
        path = folder / model[graph]["file"]
        session = onnxruntime.InferenceSession(path)
        for kind, found in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            said = [(each["name"], each["shape"]) for each in model[graph][kind]]
            assert said == [(each.name, each.shape) for each in found]
        assert b".py" not in path.read_bytes(), "no paths of this machine"
    translator = load_translator(tiny)
    pieces = json.loads((folder / "source_vocabulary.json").read_text(encoding="utf-8"))
    assert [pieces.index(character) for character in "bad ü"] == translator.source_tokenizer.encode("bad ü")
    assert "next: docs/howto/export.md" in capsys.readouterr().out


def test_sentencepiece_is_read_by_its_own_library(tmp_path: Path) -> None:
    from datamodules.tokenizers import SentencePieceTokenizer
    from experiments.export.description import write_tokenizer

    tokenizer = SentencePieceTokenizer(vocabulary_size=40)
    tokenizer.train(["the third of June", "a dog runs", "two dogs run there"])
    described = write_tokenizer(tokenizer, "source", tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / str(described["model"])))
    assert processor.encode("the dogs") == tokenizer.encode("the dogs")


def test_torchscript_has_no_paths_and_can_replace_what_was_there(tiny: Path) -> None:
    words = ["export", "--ckpt_path", str(tiny), "--format", "torchscript"]
    assert main(words) == 0
    folder = tiny.parent / "tiny-torchscript"
    assert names(folder) == ["encoder.pt", "model.json", "source_vocabulary.json", "step.pt", "target_vocabulary.json"]
    assert not any(b"debug_pkl" in (folder / name).read_bytes() for name in ("encoder.pt", "step.pt"))
    (folder / "mine.txt").write_text("mine")
    assert main(words) == 2
    assert main([*words, "--overwrite"]) == 0
    assert (folder / "mine.txt").exists()


def test_a_mismatch_leaves_nothing_behind(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "TOLERANCE", 0.0)
    assert main(["export", "--ckpt_path", str(tiny), "--format", "torchscript"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the graphs are not the model" in line
    assert names(tiny.parent) == ["tiny.ckpt"]


def test_one_line(tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "invalid choice: 'tflite'" in told(capsys, "--ckpt_path", tiny, "--format", "tflite")
    given = ("--ckpt_path", tiny, "--format", "torchscript")
    assert f"--output {tiny} is a file" in told(capsys, *given, "--output", tiny)
    assert "does not exist: make it first" in told(capsys, *given, "--output", tiny.parent / "no" / "where")

    monkeypatch.setattr(
        "experiments.export.onnx_format.find_spec", lambda name: None if name == "onnxruntime" else find_spec(name)
    )
    line = told(capsys, "--ckpt_path", tiny, "--format", "onnx")
    assert line.endswith("needs onnxruntime: pip install 'seqlab[onnx]'")
    assert names(tiny.parent) == ["tiny.ckpt"]


def test_a_part_of_ones_own_that_no_graph_holds_is_named(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny.parent / "my_attention.py").write_text(
        "from lightning_modules.layers.attention import GeneralAttention\n\n\n"
        "class Choosing(GeneralAttention):\n"
        "    def score(self, query, keys):\n"
        "        found = super().score(query, keys)\n"
        "        return found if found.sum() > 0 else 2 * found\n"
    )
    checkpoint = tiny_checkpoint()
    attention = checkpoint["hyper_parameters"]["decoder"]["init_args"]["attention"]
    attention["class_path"] = "my_attention.Choosing"
    write(tiny, checkpoint)
    monkeypatch.chdir(tiny.parent)
    for name in ("torchscript", "onnx"):
        line = told(capsys, "--ckpt_path", tiny, "--format", name, "--trust", "my_attention")
        assert "Choosing cannot be exported to" in line
        assert "depends on the size or on a value of a tensor" in line
    assert not list(tiny.parent.glob("*.seqlab-partial")) + list(tiny.parent.glob(".*"))
