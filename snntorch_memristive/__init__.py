"""Memristive neurons and RRAM crossbars for snnTorch.

``snn.Leaky`` becomes :class:`MIF`, ``nn.Linear`` :class:`RRAMLinear`; the training loop stays.
"""

from . import circuits, crossbar, devices, functional, solvers, spice
from ._version import __version__
from .calibrate import calibrate
from .chips import Chips, evaluate_chips
from .convert import convert
from .crossbar import RRAMConv2d, RRAMLinear
from .devices import MSS, RRAM
from .neurons import (
    MIF,
    RMIF,
    AlphaMIF,
    LapicqueMIF,
    MemristiveNeuron,
    Mott,
    Nanodot,
    SilentLayerWarning,
    SynapticMIF,
)
from .reset import reset
from .run import run

__all__ = [
    "MIF",
    "MSS",
    "RMIF",
    "RRAM",
    "AlphaMIF",
    "Chips",
    "LapicqueMIF",
    "MemristiveNeuron",
    "Mott",
    "Nanodot",
    "RRAMConv2d",
    "RRAMLinear",
    "SilentLayerWarning",
    "SynapticMIF",
    "__version__",
    "calibrate",
    "circuits",
    "convert",
    "crossbar",
    "devices",
    "evaluate_chips",
    "functional",
    "reset",
    "run",
    "solvers",
    "spice",
]
