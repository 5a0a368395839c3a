"""Decoders: embedded target tokens and a memory to outputs."""

from lightning_modules.layers.decoder.bahdanau import BahdanauDecoder
from lightning_modules.layers.decoder.decoder import Decoder, RecurrentDecoder
from lightning_modules.layers.decoder.fixed_context import FixedContextDecoder
from lightning_modules.layers.decoder.luong import LuongDecoder
from lightning_modules.layers.decoder.multi_step import MultiStepDecoder
from lightning_modules.layers.decoder.stepped import SteppedDecoder

__all__ = [
    "BahdanauDecoder",
    "Decoder",
    "FixedContextDecoder",
    "LuongDecoder",
    "MultiStepDecoder",
    "RecurrentDecoder",
    "SteppedDecoder",
]
