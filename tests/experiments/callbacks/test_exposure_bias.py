"""Exposure bias as the callback reports it, against the model stepped by hand."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from datamodules.batch import BOS, EOS, SequenceBatch
from datamodules.errors import UserError
from experiments.callbacks import ExposureBias
from lightning_modules.decoding.greedy import GreedySearch
from lightning_modules.layers.decoder import BahdanauDecoder
from lightning_modules.layers.encoder import RecurrentEncoder
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer

VOCABULARY = 9


def small_model(seed: int) -> TokenEncoderDecoder:
    torch.manual_seed(seed)
    model = TokenEncoderDecoder(
        VOCABULARY,
        VOCABULARY,
        encoder=partial(RecurrentEncoder, hidden_size=5),
        decoder=partial(BahdanauDecoder, hidden_size=6),
        embedding_size=4,
        test_search=GreedySearch(max_length=20),
    )
    with torch.no_grad():
        model.output.weight.mul_(4.0)
    return model.eval()


def corpus(seed: int, count: int = 23) -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(seed)

    def sentence() -> list[int]:
        length = int(torch.randint(0, 8, (), generator=generator))
        return torch.randint(4, VOCABULARY, (length,), generator=generator).tolist()

    return [(sentence(), sentence()) for _ in range(count)]


def batches(pairs: list[tuple[list[int], list[int]]], size: int) -> DataLoader[SequenceBatch]:
    cuts = [list(range(start, min(start + size, len(pairs)))) for start in range(0, len(pairs), size)]
    made = [
        SequenceBatch.from_pairs([pairs[i][0] for i in cut], [pairs[i][1] for i in cut], torch.tensor(cut))
        for cut in cuts
    ]
    return DataLoader(made, batch_size=None)


@torch.no_grad()
def stepped(
    model: TokenEncoderDecoder, source: list[int], target: SequenceBatch, own: bool
) -> list[tuple[float, bool, int]]:
    """Nats, rightness and prediction at each gold token, one step of the model's search interface at a time."""
    memory, state = model.encode(target.source)
    token, found = BOS, []
    for gold in target.target_output.values[0].tolist():
        log_probabilities, _, state = model.step(torch.tensor([token]), memory, state)
        said = int(log_probabilities[0].argmax())
        found.append((-float(log_probabilities[0, gold]), said == gold, said))
        token = said if own else gold
    return found


def edit_distance(said: list[int], target: list[int]) -> int:
    """By the recurrence of Wagner and Fischer (1974), from the first EOS on nothing."""
    said = said[: said.index(EOS)] if EOS in said else said
    last = list(range(len(target) + 1))
    for row, token in enumerate(said, start=1):
        following = [row]
        for column, gold in enumerate(target, start=1):
            following.append(min(last[column] + 1, following[-1] + 1, last[column - 1] + (token != gold)))
        last = following
    return last[-1]


@pytest.mark.parametrize("stage", ["val", "test"])
def test_equals_the_model_stepped_by_hand(stage: str, tmp_path: Path, seed: int) -> None:
    model, pairs = small_model(seed), corpus(seed)
    trainer = make_trainer(tmp_path, callbacks=[ExposureBias()])
    run = trainer.validate if stage == "val" else trainer.test
    (scores,) = run(model, batches(pairs, 5), verbose=False)

    alone = [SequenceBatch.from_pairs([s], [t], torch.zeros(1)) for s, t in pairs]
    gold = [stepped(model, s, batch, own=False) for (s, _), batch in zip(pairs, alone, strict=True)]
    own = [stepped(model, s, batch, own=True) for (s, _), batch in zip(pairs, alone, strict=True)]
    tokens = sum(map(len, gold))
    loss, own_loss = (sum(nll for one in found for nll, _, _ in one) / tokens for found in (gold, own))
    assert scores[f"{stage}/loss"] == pytest.approx(loss, rel=1e-5)
    assert scores[f"{stage}/loss_free_running"] == pytest.approx(own_loss, rel=1e-5)
    assert scores[f"{stage}/exposure_gap"] == pytest.approx(own_loss - loss, abs=1e-5)
    assert scores[f"{stage}/accuracy_free_running"] == pytest.approx(
        sum(right for one in own for _, right, _ in one) / tokens
    )
    for name, found in (("edit_rate", gold), ("edit_rate_free_running", own)):
        edits = sum(
            edit_distance([said for _, _, said in one], target) for one, (_, target) in zip(found, pairs, strict=True)
        )
        assert scores[f"{stage}/{name}"] == pytest.approx(edits / (tokens - len(pairs)))
    with (tmp_path / f"exposure_{stage}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        here = [one[place] for one in own if len(one) > place]
        assert int(row["sentences"]) == len(here)
        assert float(row["loss_free_running"]) == pytest.approx(sum(nll for nll, _, _ in here) / len(here), rel=1e-5)
        assert float(row["accuracy_free_running"]) == pytest.approx(sum(right for _, right, _ in here) / len(here))
    assert len(rows) == max(map(len, gold))


def test_the_first_error_and_exact_match_are_the_same_after_either_history(seed: int) -> None:
    """By construction: until the first error, the two histories are equal. So greedy search matches where both do."""
    model, pairs = small_model(seed), corpus(seed, 60)
    for source, target in pairs:
        batch = SequenceBatch.from_pairs([source], [target], torch.zeros(1))
        right = [[hit for _, hit, _ in stepped(model, source, batch, own=own)] for own in (False, True)]
        first = [hits.index(False) if False in hits else len(hits) for hits in right]
        assert first[0] == first[1]
        ((hypothesis,),) = model.translate(
            batch.source, GreedySearch(max_length=20, max_ratio=None, allow_unknown=True)
        )
        assert (hypothesis.ids == target) == all(right[0])


def test_a_step_measured_again_takes_the_place_of_its_rows(tmp_path: Path, seed: int) -> None:
    model, pairs = small_model(seed), corpus(seed)
    for _ in range(2):
        make_trainer(tmp_path, callbacks=[ExposureBias()]).validate(model, batches(pairs, 7), verbose=False)
    with (tmp_path / "exposure_val.csv").open(newline="") as file:
        positions = [row["position"] for row in csv.DictReader(file)]
    assert len(positions) == len(set(positions)) > 0


def test_a_model_without_a_history_is_refused(tmp_path: Path) -> None:
    trainer: L.Trainer = make_trainer(tmp_path, callbacks=[ExposureBias()])
    with pytest.raises(UserError, match="measures encoder-decoders, not a EchoModel"):
        trainer.validate(EchoModel(), datamodule=EchoData(), verbose=False)
