"""Two notices of Lightning's that no user of seqlab can do anything about."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TIP = "\N{ELECTRIC LIGHT BULB} Tip: "
"""Begins the lines in which Lightning recommends another product of its makers, whatever loggers there are."""

_LEAF = r"`isinstance\(treespec, LeafSpec\)` is deprecated"
"""Lightning makes a LeafSpec for every data loader, which torch 2.13 calls deprecated."""


@contextmanager
def without_lightning_notices() -> Iterator[None]:
    """Leaves out the recommendations of other products, and the one warning on Lightning's own use of torch.

    Both come from within the Trainer, on every way through it, so that their cause cannot be avoided. Every other line
    of Lightning's, and every other warning, is shown as ever.
    """
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(_is_no_tip)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _LEAF, FutureWarning, r"lightning\.pytorch\.utilities\._pytree")
            yield
    finally:
        logger.removeFilter(_is_no_tip)


def _is_no_tip(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_TIP)
