"""Neural machine translation with attention."""

from __future__ import annotations

from lightning_modules.encoder_decoder import EncoderDecoder


class AttentionNMT(EncoderDecoder):
    """Attention-based neural machine translation."""
