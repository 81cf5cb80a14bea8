"""Synapses: weights as the conductances of RRAM cells."""

from .array import Array
from .crossbar import Crossbar, Programming
from .effects import (
    acceleration,
    drift,
    fail,
    from_pair,
    misprogram,
    quantise,
    read_variance,
    spread,
    stick,
    to_pair,
)
from .layers import RRAMConv2d, RRAMLinear, RRAMOneToOne
from .wires import Wires, approximate, effective

__all__ = [
    "Array",
    "Crossbar",
    "Programming",
    "RRAMConv2d",
    "RRAMLinear",
    "RRAMOneToOne",
    "Wires",
    "acceleration",
    "approximate",
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
]
