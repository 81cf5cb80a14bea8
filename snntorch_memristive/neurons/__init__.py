"""snnTorch neurons whose membrane is a memristive circuit."""

from .mif import MIF
from .mott import Mott
from .neuron import BETA_MARGIN, MemristiveNeuron, SilentLayerWarning
from .rmif import RMIF

__all__ = ["BETA_MARGIN", "MIF", "RMIF", "MemristiveNeuron", "Mott", "SilentLayerWarning"]
