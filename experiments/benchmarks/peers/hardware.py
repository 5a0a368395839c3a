"""What the systems run on: threads of the CPU, or one GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Hardware:
    """What every system of a measurement runs on.

    Attributes:
        threads: Number of CPU threads.
        device: ``cpu``, ``cuda`` or, of several GPUs, ``cuda:1``.
    """

    threads: int
    device: str = "cpu"

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device != "cpu"

    def variables(self) -> dict[str, str]:
        """The environment of a process: it sees the GPU that is meant and no other, and on the CPU none.

        Where ``CUDA_VISIBLE_DEVICES`` is set, as by a cluster, GPUs are counted among those that it names.
        """
        number = self.device.partition(":")[2] or "0"
        if self.is_gpu and (visible := os.environ.get("CUDA_VISIBLE_DEVICES")):
            number = visible.split(",")[int(number)].strip()
        threads = str(self.threads)
        return {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "CUDA_VISIBLE_DEVICES": number if self.is_gpu else "",
        }
