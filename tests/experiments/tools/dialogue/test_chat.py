"""``seqlab chat``: what was said is the source as training had it, commands are followed, and nothing ends the talk."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.errors import UserError
from datamodules.excerpts import FirstWords, LastTurns
from experiments.checkpoints.loading import load_ensemble, load_translator
from experiments.cli import main
from experiments.tools.dialogue.conversation import Conversation
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

TURNS = {
    "class_path": "datamodules.excerpts.turns.LastTurns",
    "init_args": {"turns": 3, "turn_words": 2, "markers": ["ü", "hh"]},
}


def checkpoint(folder: Path, excerpt: object = None) -> Path:
    content = tiny_checkpoint()
    if excerpt is not None:
        content["TranslationDataModule"]["excerpt"] = excerpt
    return write(folder / "best.ckpt", content)


Talk = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Talk:
    """Runs the command on lines, and gives those of standard output and standard error."""

    def call(path: Path, *lines: str) -> tuple[list[str], list[str]]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(f"{x}\n" for x in lines).encode())))
        assert main(["chat", "--ckpt_path", str(path), "--device", "cpu"]) == 0
        found = capfd.readouterr()
        return found.out.splitlines(), found.err.splitlines()

    return call


def test_a_model_of_dialogues_reads_the_turns_before(tmp_path: Path, talk: Talk) -> None:
    path = checkpoint(tmp_path, TURNS)
    translator = load_translator(path)
    search = translator.beam_search(5)
    first = translator.translate(["ü a b"], search)[0].text
    second = translator.translate([f"ü a b hh {first} ü c"], search)[0].text
    with_acts = translator.translate(["bb ü c"], search)[0].text
    written, told = talk(path, "a b", "c", "/context", "/reset", "/context", "/acts bb", "c", "/context")
    context = LastTurns(**TURNS["init_args"]).of(f"ü a b hh {first} ü c hh {second}")
    assert written == [first, second, context, "(nothing was said)", with_acts, f"ü c hh {with_acts}"]
    assert all("unknown to the model" in line for line in told)  # letters that this tiny model writes, and cannot read


def test_any_other_model_answers_each_line_alone(tmp_path: Path, talk: Talk) -> None:
    path = checkpoint(tmp_path)
    alone = [translation.text for translation in load_translator(path).translate(["abc", "hgf"])]
    written, told = talk(path, "abc", "hgf", "/context", "/acts x")
    assert written == [*alone, "hgf"]
    assert told == ["seqlab: /acts: this model was not trained on dialogues, and reads each line alone"]


def test_attention_is_shown_of_the_last_answer(tmp_path: Path, talk: Talk) -> None:
    path = checkpoint(tmp_path)
    found = load_translator(path).translate(["abc"])[0]
    written, told = talk(path, "/attention", "abc", "/attention")
    assert told == ["seqlab: /attention shows the last answer: say something first"]
    assert len(written) == 1 + len(found.tokens)
    assert found.attention is not None
    for line, token, weights in zip(written[1:], found.tokens, found.attention, strict=True):
        assert line.startswith(token.strip())
        assert line.split("<- ")[1].startswith(f"{found.source_tokens[weights.argmax()].strip()} {weights.max():.2f}")


def test_what_cannot_be_followed_is_told_and_the_talk_goes_on(tmp_path: Path, talk: Talk) -> None:
    written, told = talk(checkpoint(tmp_path, TURNS), "", "/atention", "a b c", "/help")
    assert [line for line in told if "warning" not in line] == [
        "seqlab: nothing was said: type a line, or /help",
        "seqlab: unknown command '/atention': did you mean '/attention'? known: /acts, /attention, /context, /help, "
        "/reset",
    ]
    assert "seqlab: warning: what was said is too long for the model: sources are cut to the last 2 words" in told[-1]
    assert any(line.strip().startswith("/reset") for line in written)


def test_translate_reads_the_excerpt_and_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    two = {"class_path": "datamodules.excerpts.words.FirstWords", "init_args": {"words": 2}}
    path = checkpoint(tmp_path, two)
    (tmp_path / "in").write_text("ab cd\nab cd ef gh\n")
    assert main(["translate", "--ckpt_path", str(path), "--input", str(tmp_path / "in")]) == 0
    found = capfd.readouterr()
    one, other = found.out.splitlines()
    assert one == other
    assert "line 2 is too long for the model: sources are cut to their first 2 words" in found.err
    assert main(["translate", "--ckpt_path", str(path), "--input", str(tmp_path / "in"), "--strict"]) == 2


def test_excerpts_of_checkpoints(tmp_path: Path) -> None:
    two = {"class_path": "datamodules.excerpts.words.FirstWords", "init_args": {"words": 2}}
    paths = []
    for name, excerpt in (("a", two), ("b", None)):
        (tmp_path / name).mkdir()
        paths.append(checkpoint(tmp_path / name, excerpt))
    assert isinstance(load_translator(paths[0]).excerpt, FirstWords)
    assert load_translator(paths[1]).excerpt is None
    with pytest.raises(UserError, match=r"reads FirstWords \{'words': 2\} of a source, .* reads all"):
        load_ensemble(paths)
    for damaged in ("all", {"class_path": "datamodules.batch.Padded"}, {**two, "init_args": {"words": "x"}}):
        with pytest.raises(UserError, match="excerpt"):
            load_translator(checkpoint(tmp_path, damaged))


def test_a_conversation_is_what_last_turns_takes_apart() -> None:
    turns = LastTurns(5)
    conversation = Conversation(turns)
    conversation.demand("REQUEST time")
    source = conversation.source("hello there")
    assert turns.parted(source) == ("REQUEST time", [("<usr>", "hello there")])
    conversation.answered("hi")
    assert turns.parted(conversation.source("bye")) == (
        "",
        [("<usr>", "hello there"), ("<sys>", "hi"), ("<usr>", "bye")],
    )
