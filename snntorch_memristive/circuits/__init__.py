"""Physics of one neuron: Kirchhoff's law over devices, a capacitor and sources."""

from .branch import Branch, Resistor
from .circuit import Circuit
from .filtered import BiexponentialMIFCircuit, FilteredMIFCircuit, SynapticMIFCircuit
from .loaded import LoadedMIFCircuit
from .mif import AlphaMIFCircuit, MIFCircuit
from .mott import MottCircuit
from .nanodot import NanodotCircuit, StochasticNanodotCircuit

__all__ = [
    "AlphaMIFCircuit",
    "BiexponentialMIFCircuit",
    "Branch",
    "Circuit",
    "FilteredMIFCircuit",
    "LoadedMIFCircuit",
    "MIFCircuit",
    "MottCircuit",
    "NanodotCircuit",
    "Resistor",
    "StochasticNanodotCircuit",
    "SynapticMIFCircuit",
]
