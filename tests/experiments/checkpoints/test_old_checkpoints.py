"""Checkpoints of an earlier seqlab: what it wrote still loads, measures the same, and can be trained further.

The files in ``written_before/`` were written by commit 99273c3, with the configs that lie beside them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.config.class_paths import resolve
from experiments.config.renamed import CLASS_PATHS, renewed
from tests.experiments.metrics_table import rows

FILES = Path(__file__).parent / "written_before"

MEASURED = {
    "translation": {"val/loss": 1.6565362215042114, "val/accuracy": 0.1818181872367859, "val/chrf": 2.780970573425293},
    "forcing": {"val/loss": 2.614490032196045, "val/accuracy": 0.2222222238779068, "val/exact_match": 0.0},
    "vectors": {"val/loss": 1.029881238937378, "val/loss_free_running": 1.03395676612854},
}
"""What ``seqlab validate`` of that commit says of each."""

AS_BEFORE = {"translation": ["--model.init_args.val_search.init_args.allow_unknown", "true"]}
"""What has become another default since."""


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(FILES, tmp_path / "old"))
    monkeypatch.chdir(folder)
    forcing = folder / "forcing.yaml"
    shutil.copy(forcing, folder / "as_before.yaml")
    new = forcing.read_text().replace("feeding:", "forcing:").replace("modules.feeding", "modules.forcing")
    new = new.replace("{bleu: false, chrf: false}", "{metrics: [ExactMatch]}")
    forcing.write_text(new)
    return folder


@pytest.mark.parametrize("name", MEASURED)
def test_it_measures_the_same(name: str, old: Path) -> None:
    words = ["--config", f"{name}.yaml", "--ckpt_path", f"{name}.ckpt", *AS_BEFORE.get(name, [])]
    assert main(["validate", *words]) == 0
    (measured,) = rows(next((old / "runs" / name).iterdir()), "val/loss")
    assert {metric: float(measured[metric]) for metric in MEASURED[name]} == pytest.approx(MEASURED[name], rel=1e-5)


@pytest.mark.parametrize("name", MEASURED)
def test_it_is_trained_further(name: str, old: Path) -> None:
    words = ["--config", f"{name}.yaml", "--ckpt_path", f"{name}.ckpt", "--trainer.max_epochs", "3"]
    assert main(["fit", *words]) == 0
    before, after = (torch.load(path) for path in (f"{name}.ckpt", f"runs/{name}/1/checkpoints/last.ckpt"))
    assert after["global_step"] == before["global_step"] * 3 // 2
    assert renewed(before)["state_dict"].keys() == after["state_dict"].keys()


def test_it_translates(old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--ckpt_path", "translation.ckpt", "--source", "val.de", "--target", "val.fr"]
    assert main(["score", *words]) == 0
    found = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
    # The last of six decimals is the processor's: another one adds up in another order.
    assert found == pytest.approx([-4.868163, -5.492131, -4.868163, -2.993444], abs=2e-6)


def test_a_config_is_told_the_new_names(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path("as_before.yaml")
    steps = {
        "bleu: false, chrf: false": (
            "metrics: [ExactMatch]",
            "line 35: trainer.callbacks[0] (TextMetrics): unknown option 'bleu': 'metrics' has taken its place",
        ),
        "feeding:": ("forcing:", "line 12: model (Seq2Seq): unknown option 'feeding': 'forcing' has taken its place"),
        "modules.feeding": (
            "modules.forcing",
            "lightning_modules.feeding.ScheduledSampling is called lightning_modules.forcing.ScheduledSampling now",
        ),
    }
    for before, (now, told) in steps.items():
        assert main(["fit", "--config", "as_before.yaml"]) == 2
        assert told in capsys.readouterr().err
        config.write_text(config.read_text().replace(before, now))


def test_every_new_name_is_there() -> None:
    for class_path in CLASS_PATHS.values():
        assert isinstance(resolve(class_path), type)


def test_a_model_of_ones_own_keeps_its_names() -> None:
    own = {"_class_path": "mine.Model", "feeding": 1, "narrow": 2}
    checkpoint = {"hyper_parameters": own, "state_dict": {"narrow.weight": 3, "source_input.bias": 4}}
    assert renewed(checkpoint) == checkpoint
    ours = {
        "hyper_parameters": own | {"_class_path": "lightning_modules.nmt.AttentionNMT"},
        "state_dict": {"narrow.weight": 3},
    }
    assert renewed(ours)["hyper_parameters"]["forcing"] == 1
    assert renewed(ours)["state_dict"] == {"to_embedding.weight": 3}
    assert renewed(renewed(ours)) == renewed(ours)
