"""Metrics over ids and losses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.multiprocessing import spawn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lightning_modules.metrics import PerTokenLoss, Share


def test_the_mean_is_per_token_not_per_batch() -> None:
    metric = PerTokenLoss()
    metric.update(torch.tensor(10.0), torch.tensor(2))
    metric.update(torch.tensor(2.0), torch.tensor(10))
    assert metric.compute().item() == pytest.approx(1.0)
    metric.reset()
    metric.update(torch.tensor(3.0), 1)
    assert metric.compute().item() == 3.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_many_small_sums_keep_their_digits(dtype: torch.dtype) -> None:
    """In float32, a hundred million and one is a hundred million; in a model of bfloat16 the metric is no coarser."""
    module = torch.nn.Linear(1, 1)
    module.metric = metric = PerTokenLoss()
    module.to(dtype=dtype)
    metric.update(torch.tensor(1e8), torch.tensor(1))
    for _ in range(100):
        metric.update(torch.tensor(1.0), torch.tensor(1))
    assert metric.compute().dtype == torch.float64
    assert metric.compute().item() == 100000100 / 101


class WithoutFloat64(TorchDispatchMode):
    """Refuses float64, as Apple's MPS does."""

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64:
                raise TypeError("the MPS framework doesn't support float64")
        return result


def test_a_device_without_float64_loses_no_digit() -> None:
    metric = PerTokenLoss()
    with WithoutFloat64():
        with pytest.raises(TypeError, match="float64"):
            torch.ones(1).double()
        metric.update(torch.tensor(2.0**25), torch.tensor(1))
        metric.update(torch.tensor(1.0), torch.tensor(1))
    assert metric.compute().item() == (2**25 + 1) / 2
    assert metric.compute().device.type == "cpu"


def _measure(rank: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    metric = PerTokenLoss()
    if rank == 0:
        metric.update(torch.tensor(2.0**25), torch.tensor(3))
        metric.update(torch.tensor(1.0), torch.tensor(1))
    accuracy = Share()
    accuracy.update(torch.tensor(rank), 2 + rank)
    torch.save((metric.compute(), accuracy.compute()), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_have_one_mean_also_where_one_has_seen_nothing(tmp_path: Path) -> None:
    spawn(_measure, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        mean, accuracy = torch.load(tmp_path / f"{rank}.pt")
        assert mean.item() == (2**25 + 1) / 4
        assert accuracy.item() == 1 / 5


def test_accuracy_counts_tokens_not_batches() -> None:
    accuracy = Share()
    accuracy.update(torch.tensor(2), torch.tensor(2))
    accuracy.update(torch.tensor(1), torch.tensor(10))
    assert accuracy.compute().item() == 3 / 12
    accuracy.update(torch.tensor(2**40 + 1), torch.tensor(2**41))  # more than float32 can count
    assert accuracy.compute().item() == (2**40 + 4) / (2**41 + 12)
    accuracy.reset()
    assert accuracy.compute().isnan()
