"""Physics of one neuron: Kirchhoff's law over devices, a capacitor and sources."""

from .branch import Branch, Resistor
from .circuit import Circuit
from .loaded import LoadedMIFCircuit
from .mif import AlphaMIFCircuit, MIFCircuit
from .mott import MottCircuit

__all__ = [
    "AlphaMIFCircuit",
    "Branch",
    "Circuit",
    "LoadedMIFCircuit",
    "MIFCircuit",
    "MottCircuit",
    "Resistor",
]
