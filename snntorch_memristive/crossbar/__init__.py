"""Synapses: weights as the conductances of RRAM cells."""

from .crossbar import Crossbar
from .effects import from_pair, misprogram, quantise, read_noise, spread, stick, to_pair
from .layers import RRAMConv2d, RRAMLinear, RRAMOneToOne

__all__ = [
    "Crossbar",
    "RRAMConv2d",
    "RRAMLinear",
    "RRAMOneToOne",
    "from_pair",
    "misprogram",
    "quantise",
    "read_noise",
    "spread",
    "stick",
    "to_pair",
]
