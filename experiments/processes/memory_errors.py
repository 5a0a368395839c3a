"""Which errors say that no memory is left."""

from __future__ import annotations

import torch

_ALLOCATORS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Cannot allocate memory",
    "std::bad_alloc",  # of what a library beneath torch took for itself
)
"""How torch's allocators say that there is no memory left."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that no memory is left, on the CPU or on a device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and any(words in str(error) for words in _ALLOCATORS)
