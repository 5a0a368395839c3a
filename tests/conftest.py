"""What many tests share."""

import os
import secrets
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("seqlab", max_examples=60, deadline=None, database=None, print_blob=True)
settings.load_profile("seqlab")


@pytest.fixture(scope="session", autouse=True)
def two_threads_at_most() -> None:
    """Small tensors gain nothing from threads, and the suite shares its machine."""
    torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(autouse=True)
def away_from_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache or W&B account."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # of a test in this process: others begin one of their own
    monkeypatch.delenv("SEQLAB_RUN_DIRECTORY", raising=False)


@pytest.fixture
def seed() -> int:
    """A random seed, printed where a test fails; ``SEQLAB_TEST_SEED`` repeats one."""
    value = int(os.environ.get("SEQLAB_TEST_SEED", secrets.randbelow(2**31)))
    print(f"seed {value} (repeat with SEQLAB_TEST_SEED={value})")
    torch.manual_seed(value)
    return value


@pytest.fixture
def multi30k() -> Path:
    """The folder of the real corpus; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SEQLAB_DATA", "data")) / "multi30k"
    if not (folder / "train.en.gz").is_file():
        pytest.skip(f"no Multi30k in {folder}: fetch it with seqlab fetch multi30k")
    return folder
