"""Neural machine translation with attention."""

from __future__ import annotations

from lightning_modules.token_encoder_decoder import TokenEncoderDecoder


class AttentionNMT(TokenEncoderDecoder):
    """Attention-based neural machine translation."""
