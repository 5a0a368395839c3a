"""Two notices of Lightning's are left out, and nothing else is."""

import logging
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from experiments.runs.lightning_notices import without_lightning_notices
from tests.experiments.echo_task import EchoData, EchoModel, make_trainer


def shown(run: Path, within: AbstractContextManager[None], caplog: pytest.LogCaptureFixture) -> str:
    """What a training and two lines of our own show."""
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught, within, caplog.at_level(logging.INFO):
        make_trainer(run, max_epochs=1).fit(EchoModel(), datamodule=EchoData())
        warnings.warn("LeafSpec of our own", FutureWarning, stacklevel=1)
        logging.getLogger("lightning.pytorch.utilities.rank_zero").info("another line")
    return "\n".join([*caplog.messages, *(str(warning.message) for warning in caught)])


def test_tips_and_leafs_are_left_out_and_all_else_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    quiet = shown(tmp_path, without_lightning_notices(), caplog)
    as_ever = shown(tmp_path, nullcontext(), caplog)
    for notice in ("litlogger", "isinstance(treespec, LeafSpec)"):
        assert notice not in quiet
        assert notice in as_ever, "Lightning says it no more: take it out of lightning_notices.py"
    for line in ("LeafSpec of our own", "another line", "Trainer.fit` stopped"):
        assert line in quiet
        assert line in as_ever
