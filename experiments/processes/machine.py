"""What a process runs on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TypedDict

CPU_INFO = Path("/proc/cpuinfo")


class Machine(TypedDict):
    """A machine, as a process sees it.

    Attributes:
        processor: Name of its processor.
        system: Operating system and architecture.
        cores: Cores that the process may use.
        threads: Threads that a product of torch has.
        devices: Names of its GPUs.
    """

    processor: str
    system: str
    cores: int
    threads: int
    devices: list[str]


def machine() -> Machine:
    """The machine that this process runs on."""
    import torch

    return {
        "processor": processor_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    }


def processor_name() -> str:
    """The processor's name, as its maker gave it; the architecture where the system does not tell it."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
