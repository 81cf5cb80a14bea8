"""Physics of one memristor: equations, units, published parameter sets."""

from .conduction import Conduction, Ohmic, PooleFrenkel, Sinh, Table
from .device import Device
from .fit import ConductionFit, fit_conduction
from .fit_device import DeviceFit, fit_device
from .linear_ion_drift import HP_TIO2, LinearIonDrift
from .mott import VO2, MottSwitch
from .mss import (
    KNOWM_IDEAL,
    KNOWM_KT_SYNAPSE,
    KNOWM_LTSPICE,
    KNOWM_XYCE,
    MEMPROP,
    MSS,
    thermal_voltage,
)
from .nanodot import AND_TS, NanodotSwitch
from .presets import CMO_HFOX, HFO2, HFOX, PCM, SIOX, SIOX_LOW
from .response import Response, simulate
from .rram import RRAM
from .stanford import STANFORD_ASU, STANFORD_PKU, StanfordRRAM
from .sweep import Sweep, read_sweep
from .tunnel_diode import GI401A, TunnelDiode
from .umich import UMICH_WOX, UMich
from .vteam import VTEAM, VTEAM_FAST, VTEAM_MAGIC
from .windows import Biolek, HardStop, Joglekar, Prodromakis, Window
from .yakopcic import YAKOPCIC_HP, YAKOPCIC_JO, YAKOPCIC_OBLEA, Yakopcic

__all__ = [
    "AND_TS",
    "CMO_HFOX",
    "GI401A",
    "HFO2",
    "HFOX",
    "HP_TIO2",
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
    "STANFORD_ASU",
    "STANFORD_PKU",
    "UMICH_WOX",
    "VO2",
    "VTEAM",
    "VTEAM_FAST",
    "VTEAM_MAGIC",
    "YAKOPCIC_HP",
    "YAKOPCIC_JO",
    "YAKOPCIC_OBLEA",
    "Biolek",
    "Conduction",
    "ConductionFit",
    "Device",
    "DeviceFit",
    "HardStop",
    "Joglekar",
    "LinearIonDrift",
    "MottSwitch",
    "NanodotSwitch",
    "Ohmic",
    "PooleFrenkel",
    "Prodromakis",
    "Response",
    "Sinh",
    "StanfordRRAM",
    "Sweep",
    "Table",
    "TunnelDiode",
    "UMich",
    "Window",
    "Yakopcic",
    "fit_conduction",
    "fit_device",
    "read_sweep",
    "simulate",
    "thermal_voltage",
]
