"""torchrun across two hosts."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from tests.experiments.slurm.two_hosts import ADDRESSES, TwoHosts
from tests.experiments.test_classifier import write_config

pytestmark = [pytest.mark.two_hosts, pytest.mark.alone]

MULTI_NODE = Path(__file__).parents[3] / "configs" / "trainer" / "multi_node.yaml"


@pytest.fixture
def hosts() -> Iterator[TwoHosts]:
    made = TwoHosts()
    if reason := made.start():
        pytest.skip(reason)
    try:
        yield made
    finally:
        made.stop()


def validations(run: Path) -> list[tuple[float, float]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [(float(row["val/loss"]), float(row["val/accuracy"])) for row in csv.DictReader(file) if row["val/loss"]]


def test_two_hosts_train_what_one_process_does(hosts: TwoHosts, tmp_path: Path, seed: int) -> None:
    config = write_config(tmp_path)
    options = [
        "--config", str(config), "--seed_everything", str(seed), "--trainer.max_epochs", "2",
        "--data.init_args.train_size", "510", "--model.init_args.encoder.init_args.dropout", "0",
    ]  # fmt: skip
    # By its name torchrun would know by itself which host keeps the store: here both have the machine's name.
    done = hosts.run(
        [
            [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
             "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:29500", "--rdzv-id", "two-hosts",
             "--rdzv-conf", f"is_host={address == ADDRESSES[0]}", "--local-addr", address,
             "-m", "experiments.cli", "fit", "--config", str(MULTI_NODE), *options,
             "--trainer.accelerator", "cpu", "--trainer.devices", "1", "--experiment", "both"]
            for address in ADDRESSES
        ],
        timeout=200,
    )  # fmt: skip
    assert [each.returncode for each in done] == [0, 0], "\n".join(each.stdout for each in done)
    assert sum(each.stdout.count("next: seqlab test") for each in done) == 1
    assert sum(each.stdout.count("Starting with 2 processes") for each in done) == 1

    assert main(["fit", *options, "--experiment", "alone"]) == 0
    (both,), (alone,) = (list((tmp_path / "runs" / name).iterdir()) for name in ("both", "alone"))
    assert len(validations(both)) == 2
    for found, expected in zip(validations(both), validations(alone), strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    weights = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in (both, alone)]
    for name, value in weights[1].items():
        torch.testing.assert_close(weights[0][name], value, rtol=1e-3, atol=1e-4, msg=name)
