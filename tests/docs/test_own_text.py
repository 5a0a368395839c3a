"""What README.md and the page for engineers say of one's own text: it trains on that text, and on no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from experiments.storage.layout import RUNS
from tests.docs.pages import DOCS, PROJECT, blocks
from tests.experiments.metrics_table import values

SMALL = {
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 2,
    "trainer.log_every_n_steps": 1,
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
    "trainer.accelerator": "cpu",
    "data.init_args.batch_size": 4,
    "data.init_args.tokenizer.init_args.vocabulary_size": 40,
    "model.init_args.decoder.init_args.hidden_size": 8,
    "model.init_args.embedding_size": 8,
}


@pytest.mark.parametrize(
    "page", [PROJECT / "README.md", DOCS / "tutorials" / "engineer.md"], ids=lambda path: path.stem
)
def test_it_trains(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = [code for _, code in blocks(page.read_text(encoding="utf-8")) if code.startswith("experiment: mine")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "nothing"))
    (tmp_path / "mine.yaml").write_text(config.partition("\n\nseqlab")[0])
    pairs = [f"the {first} {second}\tle {second} {first}\n" for first in "abcdefghij" for second in "klmnopqrst"]
    (tmp_path / "pairs.tsv").write_text("".join(pairs))
    words = [word for name, value in SMALL.items() for word in (f"--{name}", str(value).lower())]
    assert main(["fit", "--config", "configs/nmt/multi30k.yaml", "--config", "mine.yaml", *words]) == 0
    assert values(tmp_path / RUNS / "mine" / "1", "val/loss")
