"""snnTorch neurons whose membrane is a memristive circuit."""

from .alpha import AlphaMIF
from .lapicque import LapicqueMIF
from .mif import MIF
from .mott import Mott
from .nanodot import Nanodot
from .neuron import MemristiveNeuron, SilentLayerWarning
from .rmif import RMIF
from .synaptic import SynapticMIF

__all__ = [
    "MIF",
    "RMIF",
    "AlphaMIF",
    "LapicqueMIF",
    "MemristiveNeuron",
    "Mott",
    "Nanodot",
    "SilentLayerWarning",
    "SynapticMIF",
]
