"""Parts made of a checkpoint's hyperparameters: as jsonargparse makes them of the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

import seqlab
from datamodules.errors import UserError
from datamodules.hyperparameters import described_module
from experiments.config.parts import UnfitValueError, make_part
from experiments.config.shipped_configs import shipped_configs
from lightning_modules.decoding.beam import BeamSearch
from lightning_modules.layers.attention import Attention, BahdanauAttention, GeneralAttention
from lightning_modules.token_encoder_decoder import TokenEncoderDecoder

EXPERIMENTS = ("birnn", "nmt", "seq2seq", "benchmarks")
ATTENTION = "lightning_modules.layers.attention"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in shipped_configs()
        if name.split("/")[1] in EXPERIMENTS and "multi30k" not in name and "baselines" not in name
    ],
)
def test_the_model_of_every_experiment(name: str, tmp_path: Path) -> None:
    options: dict[str, object] = {"trainer.logger": False, "trainer.default_root_dir": str(tmp_path)}
    if "input_feeding" in name:
        (tmp_path / "text").write_text("a b\n" * 50)
        files = {"source": str(tmp_path / "text"), "target": str(tmp_path / "text")}
        options |= {f"data.init_args.{split}": files for split in ("train", "val", "test")}
        options["data.init_args.tokenizer"] = "datamodules.tokenizers.CharacterTokenizer"
    if name == "configs/birnn/text.yaml":
        (tmp_path / "labelled.tsv").write_text("a b\tone\nb c\tother\n" * 50)
        labelled = {"tsv": str(tmp_path / "labelled.tsv"), "columns": {"source": 0, "target": 1}}
        options |= {f"data.init_args.{split}": labelled for split in ("train", "val", "test")}
        options["data.init_args.tokenizer"] = "datamodules.tokenizers.CharacterTokenizer"
    model, _, _ = seqlab.load_experiment(name, options)
    kept = described_module(model, model.hparams)  # of what the data offer, what the model takes
    arguments = {key: value for key, value in kept.items() if not key.startswith("_")}
    assert len(arguments) > 4
    made = make_part(type(model), arguments)
    assert str(made) == str(model)
    made.load_state_dict(model.state_dict())
    if isinstance(made, TokenEncoderDecoder) and isinstance(model, TokenEncoderDecoder):
        for one, other in ((made.val_search, model.val_search), (made.test_search, model.test_search)):
            assert (type(one), vars(one)) == (type(other), vars(other))
        assert type(made.forcing) is type(model.forcing)
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    one, other = made._optimizer(parameters), model._optimizer(parameters)
    assert (type(one), one.defaults) == (type(other), other.defaults)


class Colour(Enum):
    RED = 1


@dataclass
class Files:
    source: Path
    weight: float = 1.0


class Everything:
    """Has a parameter of each kind."""

    def __init__(
        self,
        pair: tuple[int, str] = (1, "a"),
        rates: Sequence[float] = (),
        named: Mapping[str, int] | None = None,
        files: Files | None = None,
        colour: Colour = Colour.RED,
        kind: type[Attention] = GeneralAttention,
        factory: Callable[[int, int], Attention] = GeneralAttention,
        search: BeamSearch | None = None,
        mode: Literal["a", "b"] = "a",
        anything: Any = None,  # noqa: ANN401 - one of the kinds
        **further: int,
    ) -> None:
        self.given = dict(locals())


def test_each_kind_of_parameter() -> None:
    made = make_part(
        Everything,
        {
            "pair": [3, "x"],
            "rates": [1, 0.5],
            "named": {"a": 1},
            "files": {"source": "a.txt", "weight": 2},
            "colour": "RED",
            "kind": f"{ATTENTION}.BahdanauAttention",
            "factory": {"class_path": f"{ATTENTION}.BahdanauAttention", "init_args": {"temperature": 2.0}},
            "search": {"class_path": "lightning_modules.decoding.beam.BeamSearch", "init_args": {"beam_size": 3}},
            "mode": "b",
            "anything": ["plain", 1],
            "more": 4,
        },
    ).given
    assert made["pair"] == (3, "x")
    assert [type(rate) for rate in made["rates"]] == [float, float]
    assert made["named"] == {"a": 1}
    assert made["files"] == Files(Path("a.txt"), 2.0)
    assert made["colour"] is Colour.RED
    assert made["kind"] is BahdanauAttention
    assert isinstance(made["factory"], partial)
    assert (made["factory"].func, made["factory"].keywords) == (BahdanauAttention, {"temperature": 2.0})
    assert made["search"].beam_size == 3
    assert (made["mode"], made["anything"], made["further"]) == ("b", ["plain", 1], {"more": 4})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pair": [3, 4]}, "pair: 4 is no str"),
        ({"rates": 3}, "rates: 3 is no "),
        ({"rates": [True]}, "rates: True is no float"),
        ({"files": {"source": "a", "weigth": 2}}, "files: weigth: unknown; did you mean 'weight'"),
        ({"colour": "GREEN"}, "colour: 'GREEN' is no Colour"),
        ({"mode": "c"}, "mode: 'c' is none of 'a', 'b'"),
        ({"factory": 7}, "factory: 7 is no "),
        ({"search": {"class_path": f"{ATTENTION}.NoAttention"}}, "search: .*NoAttention.* is no BeamSearch"),
        (
            {"search": {"class_path": "lightning_modules.decoding.beam.BeamSearch", "init_args": {"beam_size": "x"}}},
            "search: beam_size: 'x' is no int",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((UnfitValueError, UserError), match=message):
        make_part(Everything, arguments)
