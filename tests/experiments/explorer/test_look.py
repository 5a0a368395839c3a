"""What the page is told of a sentence, against the model itself and the other commands."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.batch import EOS, UNK, SequenceBatch
from datamodules.errors import UserError
from datamodules.tokenizers import CharacterTokenizer
from experiments.checkpoints.loading import load_translator
from experiments.checkpoints.translator import Translator
from experiments.cli import main
from experiments.explorer.fields import Fields
from experiments.explorer.look import Look
from experiments.explorer.views.translation import TranslationView
from experiments.explorer.worker import Superseded, Ticket
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.layers.copying import CopyVocabularyHead
from lightning_modules.layers.decoder import LuongDecoder
from lightning_modules.layers.transformer.decoder import TransformerDecoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.experiments.tiny_checkpoint import tiny_checkpoint, write

SOURCE = "abc hü"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("explorer") / "tiny.ckpt", tiny_checkpoint())


@pytest.fixture(scope="module")
def view(path: Path) -> TranslationView:
    return TranslationView(load_translator(path, device="cpu"))


def look(view: TranslationView, **asked: object) -> dict[str, Any]:
    told = view.look(Look.of_fields(Fields({"source": SOURCE, **asked})), Ticket())
    return json.loads(json.dumps(told, allow_nan=False))  # type: ignore[no-any-return]


def forward(view: TranslationView, source: list[int], target: list[int]) -> torch.Tensor:
    """The model's own weights, under teacher forcing, ``(heads, t, s)``."""
    with torch.no_grad():
        return view.translator.members[0](SequenceBatch.from_pairs([source], [target], torch.zeros(1)))[1][0]


def test_hypotheses_are_those_of_translating(view: TranslationView) -> None:
    told = look(view, n_best=4)
    search = view.translator.beam_search(5, 4)
    expected = view.translator.hypotheses([SOURCE], search)[0]
    assert [each["text"] for each in told["hypotheses"]] == [each.text for each in expected]
    for each, other in zip(told["hypotheses"], expected, strict=True):
        assert each["score"] == pytest.approx(other.score, abs=1e-6)
        assert each["log_probability"] == pytest.approx(other.log_probability, abs=1e-6)


@pytest.mark.parametrize("chosen", [0, 2])
def test_weights_entropies_and_shares_are_the_models(view: TranslationView, chosen: int) -> None:
    told = look(view, chosen=chosen)
    ids = told["hypotheses"][chosen]["ids"]
    source = view.translator.encode(SOURCE)
    weights = forward(view, source[:-1], ids).numpy()
    np.testing.assert_allclose(told["attention"]["weights"], weights, atol=1e-6)
    np.testing.assert_allclose(told["attention"]["mean"], weights.mean(axis=0), atol=1e-6)
    entropy = -(weights * np.log(weights)).sum(axis=-1)
    np.testing.assert_allclose(told["attention"]["entropy"], entropy, atol=1e-5)
    np.testing.assert_allclose(np.sum(told["attention"]["shares"], axis=-1), 1.0, atol=1e-3)
    (scores,) = view.translator.score([source], [ids])
    assert [step["log_probability"] for step in told["steps"]] == pytest.approx(scores, abs=1e-5)
    assert sum(scores) == pytest.approx(told["hypotheses"][chosen]["log_probability"], abs=1e-5)


def test_the_temperature_is_that_of_the_formula_and_no_one_else_notices(view: TranslationView) -> None:
    before = look(view)
    for temperature in (0.25, 4.0):
        told = look(view, attention_temperature=temperature)
        # No token stands before the first: its query is the same.
        own = forward(view, view.translator.encode(SOURCE)[:-1], []).double().numpy()
        expected = own[0, 0] ** (1 / temperature)
        np.testing.assert_allclose(told["attention"]["weights"][0][0], expected / expected.sum(), atol=1e-6)
    assert look(view) == before


def test_a_forced_token_goes_on_as_translate_with_that_prefix(
    view: TranslationView, path: Path, tmp_path: Path
) -> None:
    free = look(view)
    other = next(token for token in free["steps"][1]["tokens"] if token not in (free["steps"][1]["token"], EOS, UNK))
    prefix = [free["steps"][0]["token"], other]
    told = look(view, prefix=prefix)
    assert told["hypotheses"][0]["ids"][:2] == prefix
    assert [step["forced"] for step in told["steps"]][:3] == [True, True, False]
    text = view.translator.target_tokenizer.decode(prefix)
    assert view.translator.target_tokenizer.encode(text) == prefix
    for name, line in (("source", SOURCE), ("prefix", text)):
        (tmp_path / name).write_text(f"{line}\n")
    files = ["--input", str(tmp_path / "source"), "--prefix", str(tmp_path / "prefix")]
    assert main(["translate", "--ckpt_path", str(path), *files, "--output", str(tmp_path / "output")]) == 0
    assert (tmp_path / "output").read_text() == f"{told['hypotheses'][0]['text']}\n"


def test_what_is_left_out_is_as_if_it_were_not_there(view: TranslationView) -> None:
    told = look(view, left_out=[1, 4])
    ids = view.translator.encode(SOURCE)
    rest = [id_ for place, id_ in enumerate(ids) if place not in (1, 4)]
    (expected,) = view.translator.search_batch([rest], view.translator.beam_search(5, 3))
    assert [each["ids"] for each in told["hypotheses"]] == [each.ids for each in expected]
    weights = told["attention"]["weights"][0]
    assert all(row[1] is None and row[4] is None for row in weights)
    inside = [[weight for place, weight in enumerate(row) if place not in (1, 4)] for row in weights]
    np.testing.assert_allclose(inside, forward(view, rest[:-1], expected[0].ids)[0], atol=1e-6)


def test_the_end_may_be_left_out_too(view: TranslationView) -> None:
    told = look(view, left_out=[6], padding=1)
    assert told["source"]["pieces"][6] == "</s>"
    assert all(len(row) == 8 and row[6] is None and row[7] == 0 for row in told["attention"]["mean"])


def test_padding_and_what_is_hidden_get_no_weight(view: TranslationView) -> None:
    before = look(view)
    padded = look(view, padding=3)
    width = len(before["source"]["pieces"])
    for row, own in zip(padded["attention"]["mean"], before["attention"]["mean"], strict=True):
        assert row[width:] == [0, 0, 0]
        assert row[:width] == pytest.approx(own, abs=1e-6)
    assert [each["text"] for each in padded["hypotheses"]] == [each["text"] for each in before["hypotheses"]]
    hidden = look(view, hidden=[2])
    assert all(row[2] == 0 for row in hidden["attention"]["mean"])
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in hidden["attention"]["mean"])


@pytest.mark.parametrize("beam_size", [1, 4])
def test_the_tree_leads_to_the_hypotheses(view: TranslationView, beam_size: int) -> None:
    told = look(view, beam_size=beam_size, n_best=beam_size, coverage_penalty=0.0)
    ends = []
    for level, each in enumerate(told["tree"]):
        for node in each["nodes"]:
            if node["fate"] == "ended":
                assert node["token"] == EOS
                ends.append((node["score"], _words(told["tree"], level, node)))
                length = ((5 + level + 1) / 6) ** 1.0
                assert node["score"] == pytest.approx(node["log_probability"] / length, abs=1e-5)
    best = sorted(ends, key=lambda end: -end[0])[: len(told["hypotheses"])]
    assert [ids for _, ids in best] == [each["ids"] for each in told["hypotheses"]]
    assert [score for score, _ in best] == pytest.approx([each["score"] for each in told["hypotheses"]], abs=1e-5)
    widest = max(sum(node["fate"] == "kept" for node in each["nodes"]) for each in told["tree"])
    assert widest == beam_size


def _words(tree: list[dict[str, Any]], level: int, node: dict[str, Any]) -> list[int]:
    ids: list[int] = []
    while level > 0:
        level, node = level - 1, tree[level - 1]["nodes"][node["parent"]]
        ids.insert(0, node["token"])
    return ids


def test_what_sampling_draws_from_is_the_formula_and_a_seed_repeats_it(view: TranslationView) -> None:
    told = look(view, how="sampling", temperature=0.5, top_k=3, seed=4, n_best=3)
    for step in told["steps"]:
        known = [
            (probability, drawn)
            for token, probability, drawn in zip(step["tokens"], step["probabilities"], step["sampled"], strict=True)
            if token != UNK
        ]
        raised = [probability**2 for probability, _ in known[:3]]
        assert [drawn for _, drawn in known[:3]] == pytest.approx([each / sum(raised) for each in raised], abs=1e-4)
        assert all(drawn == 0 for _, drawn in known[3:])
    assert look(view, how="sampling", temperature=0.5, top_k=3, seed=4, n_best=3) == told
    assert told["tree"] is None
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    look(view, how="sampling", seed=2)
    assert torch.equal(torch.rand(1), expected), "the draws of others go on as they would have"


def test_an_exact_length_is_kept(view: TranslationView) -> None:
    assert len(look(view, length=7)["hypotheses"][0]["ids"]) == 7


def test_a_model_without_attention_shows_the_rest(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.ckpt", tiny_checkpoint(attention="NoAttention"))
    told = look(TranslationView(load_translator(plain, device="cpu")))
    assert told["attention"] is None
    assert told["tree"]
    assert len(told["steps"]) == len(told["hypotheses"][0]["pieces"])


def test_nobody_waits_for_what_was_cancelled(view: TranslationView) -> None:
    ticket = Ticket()
    ticket.cancel()
    with pytest.raises(Superseded):
        view.look(Look.of_fields(Fields({"source": SOURCE})), ticket)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"source": " "}, "source is empty"),
        ({"source": 3}, "source is no string"),
        ({"source": "a" * 5000}, "give at most 4,000"),
        ({"source": "\ud800"}, "half of a surrogate pair"),
        ({"source": "a" * 600}, "has 601 tokens: give at most 512"),
        ({"beam_size": 0}, "beam_size is 0: give a number from 1 to 32"),
        ({"beam_size": 17}, "beam_size is 17, but the target vocabulary has 14 tokens"),
        ({"beam_size": 2.5}, "give a whole number"),
        ({"beam_size": True}, "beam_size is true"),
        ({"temperature": math.nan}, "temperature is no finite number"),
        ({"how": "beems"}, "did you mean 'beam'"),
        ({"prefix": [999]}, "prefix has the id 999"),
        ({"prefix": [EOS]}, "none of them the end's"),
        ({"prefix": "ab"}, "prefix is no list"),
        ({"hidden": [99]}, "hidden has 99, but the source has the positions 0 to 6"),
        ({"left_out": [0, 1, 2, 3, 4, 5, 6]}, "every position of the source is left out"),
        ({"hidden": [0, 1, 2, 3, 4, 5, 6]}, "every position of the source is hidden"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(view: TranslationView, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        view.look(Look.of_fields(Fields({"source": SOURCE, **asked})), Ticket())


def test_the_search_has_the_limits_of_the_models_own_test(view: TranslationView) -> None:
    search = view.search(Look.of_fields(Fields({"source": SOURCE, "coverage_penalty": 0.3})))
    own = view.translator.members[0].test_search
    assert isinstance(search, BeamSearch)
    assert (search.max_length, search.coverage_penalty) == (own.max_length, 0.3)


def random_view(seed: int, **parts: Callable[..., Any]) -> TranslationView:
    """A random model over one vocabulary of characters."""
    torch.manual_seed(seed)
    tokenizer = CharacterTokenizer()
    tokenizer.train(["abcdefgh ü"])
    size = tokenizer.vocabulary_size
    model = TokenEncoderDecoder(size, size, embedding_size=8, longest_target=6, longest_ratio=2.0, **parts).eval()
    return TranslationView(Translator((model,), tokenizer, tokenizer))


def test_each_head_of_each_layer_is_named_and_shown(seed: int) -> None:
    decoder = partial(TransformerDecoder, hidden_size=8, heads=2, feedforward_size=8, layers=3)
    told = look(random_view(seed, decoder=decoder))["attention"]
    assert told["heads"] == [{"layer": layer, "head": head} for layer in range(3) for head in range(2)]
    np.testing.assert_allclose(told["mean"], np.mean(told["weights"], axis=0), atol=1e-6)
    assert len(told["shares"]) == 3
    np.testing.assert_allclose(np.sum(told["shares"], axis=2), 1.0, atol=1e-3)


def test_the_gate_of_a_head_that_copies_is_shown(seed: int) -> None:
    view = random_view(seed, decoder=partial(LuongDecoder, hidden_size=8), head=CopyVocabularyHead)
    told, model = look(view), view.translator.members[0]
    ids = view.translator.encode(SOURCE)
    batch = SequenceBatch.from_pairs([ids[:-1]], [told["hypotheses"][0]["ids"]], torch.zeros(1))
    assert isinstance(model.output, CopyVocabularyHead)
    with torch.no_grad():
        gate = model.output.generation(model(batch)[0])
    assert told["gate"] == pytest.approx(gate.tolist(), abs=1e-5)


def test_a_token_that_was_drawn_is_shown_however_improbable(view: TranslationView) -> None:
    told = look(view, how="sampling", temperature=50.0, n_best=8, seed=3, chosen=5)
    assert any(len(step["tokens"]) == 11 for step in told["steps"])
    for step in told["steps"]:
        place = step["tokens"].index(step["token"])
        assert step["pieces"][place] == step["piece"]
        assert step["probabilities"][place] == pytest.approx(math.exp(step["log_probability"]), abs=1e-6)
        assert (step["rank"] > 10) == (place == 10)
