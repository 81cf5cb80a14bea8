"""Physics of one neuron: Kirchhoff's law over devices, a capacitor and sources."""

from .circuit import Circuit
from .mif import AlphaMIFCircuit, MIFCircuit

__all__ = ["AlphaMIFCircuit", "Circuit", "MIFCircuit"]
