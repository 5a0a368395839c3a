"""Attention mechanisms, a file for each kind of score, behind one interface."""

from lightning_modules.layers.attention.additive import BahdanauAttention, ConcatAttention
from lightning_modules.layers.attention.aligned import AlignedAttention
from lightning_modules.layers.attention.attention import Attention, AttentionFactory
from lightning_modules.layers.attention.local import LocalMonotonicAttention, LocalPredictiveAttention
from lightning_modules.layers.attention.multi_head import MultiHeadAttention
from lightning_modules.layers.attention.multiplicative import DotAttention, GeneralAttention, ScaledDotAttention
from lightning_modules.layers.attention.no_attention import NoAttention
from lightning_modules.layers.attention.stateful import CoverageAttention, LocationAttention, StatefulAttention

__all__ = [
    "AlignedAttention",
    "Attention",
    "AttentionFactory",
    "BahdanauAttention",
    "ConcatAttention",
    "CoverageAttention",
    "DotAttention",
    "GeneralAttention",
    "LocalMonotonicAttention",
    "LocalPredictiveAttention",
    "LocationAttention",
    "MultiHeadAttention",
    "NoAttention",
    "ScaledDotAttention",
    "StatefulAttention",
]
