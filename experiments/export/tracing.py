"""What is traced is what runs, whatever the sizes."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from lightning_modules.kernels.graph_form import GraphForm


def traced(module: nn.Module, examples: tuple[Tensor, ...]) -> torch.jit.ScriptModule:
    """Traces a module in its :class:`GraphForm`.

    Args:
        module: In evaluation mode.
        examples: Inputs of it.

    Raises:
        torch.jit.TracerWarning: A choice would be made once, for all sizes.
    """
    with GraphForm(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        found: torch.jit.ScriptModule = torch.jit.trace(module, examples, check_trace=False)
    return found
