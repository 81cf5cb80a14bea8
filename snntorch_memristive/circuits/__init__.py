"""Physics of one neuron: Kirchhoff's law over devices, a capacitor and sources."""

from .circuit import Circuit
from .loaded import LoadedMIFCircuit
from .mif import AlphaMIFCircuit, MIFCircuit

__all__ = ["AlphaMIFCircuit", "Circuit", "LoadedMIFCircuit", "MIFCircuit"]
