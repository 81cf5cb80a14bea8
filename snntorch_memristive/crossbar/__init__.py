"""Synapses: weights as the conductances of RRAM cells."""

from .array import Array
from .chip import Chip, Programming
from .crossbar import Crossbar
from .effects import (
    acceleration,
    drift,
    fail,
    misprogram,
    quantise,
    read_variance,
    spread,
    stick,
    wear,
)
from .layers import RRAMConv2d, RRAMLinear, RRAMOneToOne
from .mapping import clip, from_pair, to_pair
from .wires import Wires, approximate, effective

__all__ = [
    "Array",
    "Chip",
    "Crossbar",
    "Programming",
    "RRAMConv2d",
    "RRAMLinear",
    "RRAMOneToOne",
    "Wires",
    "acceleration",
    "approximate",
    "clip",
    "drift",
    "effective",
    "fail",
    "from_pair",
    "misprogram",
    "quantise",
    "read_variance",
    "spread",
    "stick",
    "to_pair",
    "wear",
]
