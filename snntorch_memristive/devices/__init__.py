"""Physics of one memristor: equations, units, published parameter sets."""

from .conduction import Conduction, Ohmic, PooleFrenkel, Sinh, Table
from .fit import ConductionFit, fit_conduction
from .mss import (
    KNOWM_IDEAL,
    KNOWM_KT_SYNAPSE,
    KNOWM_LTSPICE,
    KNOWM_XYCE,
    MEMPROP,
    MSS,
    thermal_voltage,
)
from .presets import CMO_HFOX, HFO2, HFOX, PCM, SIOX, SIOX_LOW
from .rram import RRAM

__all__ = [
    "CMO_HFOX",
    "HFO2",
    "HFOX",
    "KNOWM_IDEAL",
    "KNOWM_KT_SYNAPSE",
    "KNOWM_LTSPICE",
    "KNOWM_XYCE",
    "MEMPROP",
    "MSS",
    "PCM",
    "RRAM",
    "SIOX",
    "SIOX_LOW",
    "Conduction",
    "ConductionFit",
    "Ohmic",
    "PooleFrenkel",
    "Sinh",
    "Table",
    "fit_conduction",
    "thermal_voltage",
]
