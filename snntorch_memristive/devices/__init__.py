"""Physics of one memristor: equations, units, published parameter sets."""

from .mss import (
    KNOWM_IDEAL,
    KNOWM_KT_SYNAPSE,
    KNOWM_LTSPICE,
    KNOWM_XYCE,
    MEMPROP,
    MSS,
    thermal_voltage,
)
from .rram import RRAM

__all__ = [
    "KNOWM_IDEAL",
    "KNOWM_KT_SYNAPSE",
    "KNOWM_LTSPICE",
    "KNOWM_XYCE",
    "MEMPROP",
    "MSS",
    "RRAM",
    "thermal_voltage",
]
