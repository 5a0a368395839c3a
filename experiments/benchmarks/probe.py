"""Measures one trained classifier, in a process of its own: ``python -m experiments.benchmarks.probe CKPT``."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

import torch
from torch.nn import functional

from datamodules.batch import LabelledBatch
from datamodules.errors import RunFailed, UserError
from datamodules.synthetic import SyntheticDataModule
from experiments.benchmarks.operations import classifier_operations
from experiments.checkpoints.reading import read_checkpoint
from experiments.checkpoints.saved_data import SavedData
from experiments.checkpoints.trained_model import trained_model
from lightning_modules.birnn import BiRNNClassifier
from lightning_modules.layers.encoder import RecurrentEncoder

WARM_UP = 20
"""Runs before any that counts."""

SEQUENCES = 500
"""Test sequences that are classified one by one."""

TRAINING_SECONDS = 3.0
"""How long training is timed."""

BATCHES = 50
"""Training batches, which are gone through again and again."""

BYTES_IN_MIB = 2**20

LINUX_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Probe:
    """What one process measured of one model.

    Attributes:
        parameters: Their number.
        operations: Floating-point operations for a sequence of the mean length, by formula.
        length: The mean length of the sequences.
        latency_median: Milliseconds from one sequence to its logits.
        latency_p95: The 95th percentile of the same.
        memory: MiB at the peak: of the process on the CPU, of the tensors on a GPU.
        memory_added: MiB by which the peak is above what the process held before it made the model. A model of one unit
            was trained before that: what is loaded when it is used for the first time does not count.
        training_rate: Sequences trained on per second, in batches of the training's size.
        device: What it ran on.
        threads: Number of CPU threads.
    """

    parameters: int
    operations: int
    length: float
    latency_median: float
    latency_p95: float
    memory: float
    memory_added: float
    training_rate: float
    device: str
    threads: int


def probe(path: Path, device: torch.device) -> Probe:
    """Measures a classifier.

    Args:
        path: Its checkpoint.
        device: Where it runs.

    Raises:
        UserError: The checkpoint is of another model, or of other data.
    """
    checkpoint = read_checkpoint(path)
    arguments = dict(SavedData.of(checkpoint, str(path)).arguments)
    if not str(arguments.pop("_class_path", "")).endswith(".SyntheticDataModule"):
        raise UserError(f"{path}: seqlab benchmark models needs models trained on SyntheticDataModule")
    data = SyntheticDataModule(**{name: value for name, value in arguments.items() if not name.startswith("_")})
    test = data.sequences("test")
    singles = [test[[index]].to(device) for index in range(min(SEQUENCES, len(test)))]
    size, train = arguments["batch_size"], data.sequences("train")
    starts = range(0, max(1, min(BATCHES * size, len(train) - size + 1)), size)
    batches = [train[list(range(start, min(start + size, len(train))))].to(device) for start in starts]
    synchronise = _synchroniser(device)
    _warm_up(checkpoint, path, singles, batches, device)
    before = _peak_from_now(device)
    model = trained_model(checkpoint, path, BiRNNClassifier, "which is no BiRNNClassifier").to(device).eval()
    latencies = sorted(_latencies(model, singles, synchronise))
    rate = median(_training_rates(model, batches, synchronise))
    memory = _peak(device)
    length = fmean(int(each.source.lengths[0]) for each in singles)
    return Probe(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        operations=classifier_operations(model, round(length)),
        length=length,
        latency_median=median(latencies),
        latency_p95=quantiles(latencies, n=20)[-1],
        memory=memory,
        memory_added=memory - before,
        training_rate=rate,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
    )


def _warm_up(
    checkpoint: Mapping[str, Any],
    path: Path,
    singles: list[LabelledBatch],
    batches: list[LabelledBatch],
    device: torch.device,
) -> None:
    """Does with a model of one unit what is then done with the one to be measured."""
    trained = trained_model(checkpoint, path, BiRNNClassifier, "which is no BiRNNClassifier").encoder
    if not isinstance(trained, RecurrentEncoder):
        raise UserError(f"{path}: seqlab benchmark models needs a RecurrentEncoder, not {type(trained).__name__}")
    encoder = partial(
        type(trained),
        cell=trained.cell,
        hidden_size=1,
        layers=trained.rnn.num_layers,
        bidirectional=trained.directions == 2,
    )
    model = BiRNNClassifier(trained.rnn.input_size, 2, encoder=encoder).to(device).eval()
    list(_latencies(model, singles[:WARM_UP], lambda: None))
    list(islice(_training_rates(model, batches[:WARM_UP], lambda: None), 1))


@torch.inference_mode()
def _latencies(
    model: BiRNNClassifier, singles: list[LabelledBatch], synchronise: Callable[[], None]
) -> Iterator[float]:
    """Milliseconds for each sequence alone, from the call to the end of the work that it started."""
    for batch in singles[:WARM_UP]:
        model(batch.source)
    for batch in singles:
        synchronise()
        begun = time.perf_counter()
        model(batch.source)
        synchronise()
        yield 1000.0 * (time.perf_counter() - begun)


def _training_rates(
    model: BiRNNClassifier, batches: list[LabelledBatch], synchronise: Callable[[], None]
) -> Iterator[float]:
    """Sequences per second of each whole step: forward, backward and update."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    ends = None
    for number, batch in enumerate(cycle(batches)):
        if number == WARM_UP:
            ends = time.perf_counter() + TRAINING_SECONDS
        synchronise()
        begun = time.perf_counter()
        functional.cross_entropy(model(batch.source), batch.label).backward()
        optimizer.step()
        optimizer.zero_grad()
        synchronise()
        now = time.perf_counter()
        if ends is not None:
            yield len(batch) / (now - begun)
            if now > ends:
                return


def _synchroniser(device: torch.device) -> Callable[[], None]:
    """What waits for the device; nothing does for the CPU, whose calls end with their work."""
    return lambda: torch.cuda.synchronize(device) if device.type == "cuda" else None


def _peak_from_now(device: torch.device) -> float:
    """Forgets the peak so far, where that is possible, and returns what is held now, in MiB."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif LINUX_STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak of the resident set
    return _peak(device)


def _peak(device: torch.device) -> float:
    """MiB at the peak so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / BYTES_IN_MIB
    if LINUX_STATUS.exists():  # ru_maxrss would be the parent's, where that was larger when this process began
        (line,) = (line for line in LINUX_STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / BYTES_IN_MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / BYTES_IN_MIB  # bytes on a Mac


def main() -> int:
    """Prints a :class:`Probe` as JSON; what is wrong goes to stderr in one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    try:
        print(json.dumps(asdict(probe(given.checkpoint, given.device))))
    except (UserError, RunFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
