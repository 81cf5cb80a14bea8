"""snnTorch neurons whose membrane is a memristive circuit."""

from .mif import MIF
from .neuron import MemristiveNeuron, SilentLayerWarning
from .rmif import RMIF

__all__ = ["MIF", "RMIF", "MemristiveNeuron", "SilentLayerWarning"]
