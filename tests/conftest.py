"""What many tests share."""

import fcntl
import logging
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from experiments.processes import seqlab_process
from tests.pictures import blank_pictures

settings.register_profile("seqlab", max_examples=60, deadline=None, database=None, print_blob=True)
settings.load_profile("seqlab")


def pytest_configure() -> None:
    """Ctrl-C ends what tests start, also where a shell began the tests in the background, and had them ignore it.

    What is forked leaves its pictures blank.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    seqlab_process.PRELOADED += ("tests.pictures_left_blank",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first: one that is left over at the end has one of the two processes waiting."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tests run beside those of other processes; one that is marked ``alone`` waits for them, and they for it.

    Pictures are blank but for tests that are marked ``drawn``.
    """
    pictures = nullcontext() if item.get_closest_marker("drawn") else blank_pictures
    kind = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with Path(__file__).open() as door, (item.config.rootpath / "pyproject.toml").open() as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # in the order of their coming
        fcntl.flock(room, kind)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            with pictures:
                return (yield)
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # a process that the test leaves behind has the same lock


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forgets what a test before has left, ahead of the first fixture: W&B's process, a port, a number of threads.

    Small tensors gain nothing from threads, two processes with two each on two cores wait for one another, and a
    process that is forked from one with several stands still. W&B, which takes seconds of every process that imports
    it, is off but for tests that are marked ``wandb``.
    """
    for name in ("WANDB_SERVICE", "MASTER_PORT"):
        os.environ.pop(name, None)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the commands that tests start
    torch.set_num_threads(1)
    os.environ["WANDB_MODE"] = "offline" if item.get_closest_marker("wandb") else "disabled"


@pytest.fixture(autouse=True)
def away_from_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache or W&B account."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("SEQLAB_RUN_DIRECTORY", raising=False)


@pytest.fixture
def seed() -> int:
    """A random seed, printed where a test fails; ``SEQLAB_TEST_SEED`` repeats one."""
    value = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {value} (repeat with SEQLAB_TEST_SEED={value})")
    torch.manual_seed(value)
    return value


@pytest.fixture
def reports(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What Lightning tells once for all processes, which it does not hand on to the root of all loggers."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger="lightning.pytorch.utilities.rank_zero")
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def multi30k() -> Path:
    """The folder of the real corpus; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SEQLAB_DATA", "data")) / "multi30k"
    if not (folder / "train.en.gz").is_file():
        pytest.skip(f"no Multi30k in {folder}: fetch it with seqlab fetch multi30k")
    return folder
