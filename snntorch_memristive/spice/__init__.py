"""Networks and devices as circuits for ngspice, and what ngspice makes of them."""

from .compare import Comparison, LayerComparison, compare
from .iv import device_iv
from .netlist import Netlist, Probe
from .network import netlist
from .ngspice import NgspiceError
from .simulate import Simulated, simulate
from .subcircuits import Subcircuit, cell_subcircuit, device_subcircuit, neuron_subcircuit

__all__ = [
    "Comparison",
    "LayerComparison",
    "Netlist",
    "NgspiceError",
    "Probe",
    "Simulated",
    "Subcircuit",
    "cell_subcircuit",
    "compare",
    "device_iv",
    "device_subcircuit",
    "netlist",
    "neuron_subcircuit",
    "simulate",
]
