"""The configs of a command line, wherever they stand in it."""

from __future__ import annotations

import pytest

from experiments.runs.given_configs import configs_first


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("test --ckpt_path X --config a.yaml", "test --config a.yaml --ckpt_path X"),
        ("fit --config=a.yaml --x 1 -c b.yaml --y 2", "fit --config=a.yaml -c b.yaml --x 1 --y 2"),
        ("fit --x 1", "fit --x 1"),
        ("fit --x 1 --config", "fit --config --x 1"),
        ("", ""),
    ],
)
def test_options_win_over_files_wherever_these_stand(typed: str, read: str) -> None:
    assert configs_first(typed.split()) == read.split()
