"""States, trainings, neighbours, labels, series, music and exported pages, against the models themselves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.batch import SPECIAL_PIECES, Padded, SequenceBatch
from datamodules.errors import UserError
from datamodules.music.tasks.harmonisation import Harmonisation
from datamodules.tokenizers import CharacterTokenizer
from datamodules.tokenizers.labels import LabelTokenizer
from experiments.checkpoints.text_labeller import TextLabeller
from experiments.cli import main
from experiments.explorer.api import SMALLEST, Api, document
from experiments.explorer.exhibits import Exhibits
from experiments.explorer.fields import Fields
from experiments.explorer.neighbours import Corpus, StateIndex
from experiments.explorer.views.labels import LabelView
from experiments.explorer.views.music import MusicView
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Ticket, Worker
from lightning_modules.birnn import BiRNNTextClassifier
from lightning_modules.decoding.trace import trace
from lightning_modules.layers.pooling import AttentionPooling, FinalStatePooling, MaxPooling, MeanPooling, Pooling
from tests.experiments.explorer.exported_page import answers
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

SOURCE = "abc hü"
PAIRS = [("abc", "ABC"), ("hü", "HÜ"), ("de f", "DE F"), ("abc hü", "ABC HÜ")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    folder.mkdir()
    for seed, name in enumerate(("best", "epoch-000", "epoch-001")):
        write(folder / f"{name}.ckpt", tiny_checkpoint(seed=seed))
    (folder.parent / "corpus.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in PAIRS))
    return folder


@pytest.fixture(scope="module")
def exhibits(run: Path) -> Exhibits:
    return Exhibits([run], device="cpu", corpus=Corpus.of_files([run.parent / "corpus.tsv"]))


def answer(exhibits: Exhibits, path: str, **question: object) -> dict[str, Any]:
    worker = Worker()
    routes = {route.path: route for route in Api(exhibits, worker).routes()}
    try:
        return asyncio.run(routes[path].answer(Fields(question)))  # type: ignore[arg-type]  # a coroutine
    finally:
        worker.close()


def test_states_are_the_memory_and_what_the_decoder_carries(exhibits: Exhibits) -> None:
    told = answer(exhibits, "/api/states", source=SOURCE)
    view = exhibits.view(0, TranslationView)
    model, ids = view.translator.members[0], view.translator.encode(SOURCE)
    (best,) = view.translator.search_batch([ids], view.translator.beam_search(5, 1))
    seen = trace(model, Padded.from_sequences([ids]), best[0].ids)
    forward, backward, decoder = told["series"]
    both = np.concatenate([forward["values"]["hidden"], backward["values"]["hidden"]], axis=1)
    np.testing.assert_allclose(both, seen.memory.values[0], atol=1e-3)
    carried = [state.recurrent[0][-1, 0].tolist() for state in seen.states]  # type: ignore[attr-defined]
    np.testing.assert_allclose(decoder["values"]["hidden"], carried, atol=1e-3)
    assert set(decoder["values"]) == {"hidden", "reset", "update", "candidate"}
    assert told["target"][0] == SPECIAL_PIECES[1]
    assert len(told["target"]) == len(carried)


def test_a_training_is_the_same_target_at_each_epoch(exhibits: Exhibits) -> None:
    told = answer(exhibits, "/api/training", source=SOURCE)["epochs"]
    assert [each["name"] for each in told] == ["epoch-000", "epoch-001"]
    ids = answer(exhibits, "/api/look", source=SOURCE)["hypotheses"][0]["ids"]
    for number, each in enumerate(told, start=1):
        translator = exhibits.view(number, TranslationView).translator
        (scores,) = translator.score([translator.encode(SOURCE)], [ids])
        assert each["log_probability"] == pytest.approx(sum(scores), abs=1e-4)
        assert each["text"] == translator.translate([SOURCE])[0].text
        np.testing.assert_allclose(np.sum(each["mean"], axis=1), 1.0, atol=1e-3)


def test_the_nearest_state_of_an_example_is_its_own(exhibits: Exhibits) -> None:
    view = exhibits.view(0, TranslationView)
    ids = view.translator.target_tokenizer.encode("ABC HÜ")
    told = answer(exhibits, "/api/neighbours", source=SOURCE, prefix=ids, step=2, count=50)
    assert told["states"] == sum(len(target) + 1 for _, target in PAIRS) == len(told["neighbours"])
    first = told["neighbours"][0]
    assert (first["source"], first["place"]) == (SOURCE, 2)
    assert first["distance"] == pytest.approx(0, abs=1e-4)
    model = view.translator.members[0]
    pairs = [(view.translator.encode(one)[:-1], view.translator.target_tokenizer.encode(two)) for one, two in PAIRS]
    with torch.no_grad():
        alone = [model(SequenceBatch.from_pairs([one], [two], torch.zeros(1)))[0] for one, two in pairs]
    query = alone[3][2]
    expected = sorted((state - query).norm().item() for states in alone for state in states)
    assert [each["distance"] for each in told["neighbours"]] == pytest.approx(expected, abs=1e-4)


def test_a_corpus_that_cannot_be_read_is_told(tmp_path: Path, exhibits: Exhibits) -> None:
    (tmp_path / "one").write_text("a\tA\nb\n")
    with pytest.raises(UserError, match="line 2: there is no tab"):
        Corpus.of_files([tmp_path / "one"])
    (tmp_path / "two").write_text("A\n")
    with pytest.raises(UserError, match="have 2 and 1 lines"):
        Corpus.of_files([tmp_path / "one", tmp_path / "two"])
    (tmp_path / "sources").write_text("a\n\n")
    (tmp_path / "targets").write_text("A\nB\n")
    corpus = Corpus.of_files([tmp_path / "sources", tmp_path / "targets"])
    assert corpus.pairs == [("a", "A")]
    assert len(StateIndex(exhibits.view(0, TranslationView).translator, corpus)) == 2


@pytest.mark.parametrize("pooling", [AttentionPooling, MeanPooling, MaxPooling, FinalStatePooling])
def test_what_tokens_add_sums_to_the_logit(pooling: type[Pooling], seed: int) -> None:
    tokenizer, labels = CharacterTokenizer(), LabelTokenizer()
    tokenizer.train(["abcdef"])
    labels.train(["one", "two", "three"])
    model = BiRNNTextClassifier(len(SPECIAL_PIECES) + 6, 3, pooling=pooling).eval()
    view = LabelView(TextLabeller((model,), tokenizer, labels, 4, None))
    told = view.look("abcdef", Ticket())
    assert told["pieces"] == list("abcd"), "no more is read than in training"
    with torch.no_grad():
        logits = model(Padded.from_sequences([tokenizer.encode("abcd")]))[0]
    assert told["probabilities"] == pytest.approx(logits.softmax(dim=0).tolist(), abs=1e-6)
    if pooling is FinalStatePooling:
        assert told["adds"] is None
    else:
        assert (np.sum(told["adds"], axis=1) + told["bias"]) == pytest.approx(logits.numpy(), abs=1e-3)
    (shorter,) = view.labeller.probabilities([tokenizer.encode("abd")], 1)
    changes = [one - other for one, other in zip(shorter, told["probabilities"], strict=True)]
    assert told["without"][2] == pytest.approx(changes, abs=1e-5)
    assert len(view.states("abc")["series"]) == 2


def test_music_is_asked_and_answered_as_by_compose() -> None:
    view = MusicView(Harmonisation(["soprano", "bass"], ["soprano"], ["bass"], steps=1, beat=1))
    tune = "X:1\nM:4/4\nL:1/4\nK:C\nC D E F |]\n"
    asked = view.question(tune)
    assert [note["pitch"] for note in asked["piece"]["voices"][0]] == [60, 62, 64, 65]
    with pytest.raises(UserError, match=f"an answer has {asked['length']}"):
        view.answer(tune, ["bass:48"])
    with pytest.raises(UserError, match="no ABC"):
        view.question("X:1\nK:C\nC&D\n")
    answered = view.answer(tune, ["bass:48"] * asked["length"])["piece"]
    assert [[note["pitch"] for note in voice] for voice in answered["voices"]][1][0] == 48


def test_an_exported_page_holds_what_the_server_says(run: Path, exhibits: Exhibits, tmp_path: Path) -> None:
    page, lines = tmp_path / "page.html", tmp_path / "lines"
    lines.write_text(f"{SOURCE}\n\nabc\n")
    options = ["--export", str(page), "--input", str(lines), "--device", "cpu"]
    assert main(["explore", "--ckpt_path", str(run), *options]) == 0
    text = page.read_text()
    assert page.stat().st_size < 400_000
    held = answers(page)
    looks = [each for each in held if each["path"] == "/api/look" and each["question"]["source"] == SOURCE]
    assert [each["question"]["chosen"] for each in looks] == [0, 1, 2]
    for each in looks:
        told = answer(exhibits, "/api/look", **each["question"])
        tree = looks[0]["answer"]["tree"]
        assert json.loads(json.dumps(told)) == {**each["answer"], "tree": tree}, "the tree is held once"
    assert {each["path"] for each in held} == {"/api/about", "/api/look", "/api/states", "/api/training"}
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]  # type: ignore[index]
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)[1]  # type: ignore[index]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert not re.search(r'(src|href)="(?!#)', text), "nothing is loaded from elsewhere"
    assert main(["explore", "--ckpt_path", str(run), "--export", str(page)]) == 2
    assert main(["explore", "--ckpt_path", str(run), "--export", str(run / "best.ckpt"), "--input", str(lines)]) == 2


def test_the_document_of_the_api_is_that_of_its_readers(exhibits: Exhibits) -> None:
    worker = Worker()
    made = document(Api(exhibits, worker))
    worker.close()
    written = Path(__file__).parents[3] / "docs" / "explorer-api.json"
    assert json.loads(written.read_text()) == json.loads(json.dumps(made)), "write it anew: see docs/explorer.md"
    look = made["paths"]["/api/look"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert look["required"] == ["source"]
    assert look["properties"]["beam_size"] == {"type": "integer", "minimum": 1, "maximum": 32, "default": 5}


def test_every_address_refuses_a_field_that_it_does_not_know(exhibits: Exhibits) -> None:
    worker = Worker()
    addresses = [route for route in Api(exhibits, worker).every_route() if route.method == "POST"]
    assert len(addresses) > 9
    for route in addresses:
        with pytest.raises(UserError, match="unknown field"):
            route.answer(Fields(SMALLEST | {"beam": 5}))
    worker.close()
