"""Memory cells with published numbers.

What a paper does not state is off. Errors and noise are fractions of the window; ``x`` is the
cell's state, 0 at ``r_off`` and 1 at ``r_on``. The values were taken from the sources named, which
are in part the code of other simulators that cite the paper: each ``source`` says so.
"""

from .conduction import PooleFrenkel, Sinh
from .rram import RRAM

PCM = RRAM(
    r_on=40e3,
    r_off=4e6,
    programming_error=(0.01143, 0.07766, -0.04645),
    flicker=0.034,
    drift=0.049,
    drift_spread=0.008,
    drift_start=20.0,
    source="V. Joshi et al., Nature Communications 11, 2473 (2020), "
    "doi:10.1038/s41467-020-16108-9, as in IBM's aihwkit: 25 uS full scale, programming error "
    "0.263 + 1.965 u - 1.173 u^2 uS (u = g / 25 uS), drift exponent of the upper states, read "
    "noise after 1 s at full scale; ratio of 100 as in CrossSim's PCM_Joshi",
)
"""Phase-change memory."""

HFO2 = RRAM(
    r_on=1 / 225e-6,
    r_off=1 / 50e-6,
    levels=5,
    programming_error=(0.02473, -0.00911),
    source="V. Milo et al., IRPS (2021), doi:10.1109/IRPS46558.2021.9405119, Fig. 4 (IGVVA-100), "
    "as in CrossSim's RRAM_Milo: 50 to 225 uS, error 4.782 uS - 0.00911 g; that a cell has 5 "
    "levels is inferred from the 9 of a pair",
)
"""HfO2, one transistor and one resistor, five levels."""

HFOX = RRAM(
    r_on=25e3,
    r_off=1e6,
    programming_error=(0.01851, 0.34804, -0.98747, 1.03883, -0.38963),
    read_noise=0.01,
    source="W. Wan et al., Nature 608 (2022), doi:10.1038/s41586-022-04992-8, 1 s after writing, "
    "as in IBM's aihwkit (polynomial in g / 40 uS); the lower end of 1 uS is recalled",
)
"""HfOx of an analog chip, written without feedback."""

CMO_HFOX = RRAM(
    r_on=1 / 90e-6,
    r_off=1 / 8e-6,
    levels=32,
    programming_error=(0.00124, 0.01129),
    read_noise=0.002,
    drift=0.0018,
    drift_spread=0.0008,
    source="D. F. Falcone et al., arXiv:2502.04524 (2025), as in IBM's aihwkit: 8 to 90 uS, more "
    "than 32 states, error at 2 % acceptance; the exponent of drift is our conversion of a decay "
    "of 0.089 uS per e-fold of time at 50 uS",
)
"""Conductive metal oxide (TaOx) on HfOx, written with feedback."""

SIOX = RRAM(
    r_on=24.71e3,
    r_off=3.251e6,
    conduction=PooleFrenkel(0.35),
    read_noise=0.0013,
    source="Fit of benchmarks/siox.py to the 33 measured sweeps above 12.9 kOhm of the multi-state "
    "data in hyperionx/mnn-torch, resistances at 0.1 V",
)
"""SiOx, tunnelling states."""

SIOX_LOW = RRAM(
    r_on=291.0,
    r_off=1174.0,
    conduction=Sinh(0.63),
    read_noise=4.8e-4,
    source="Fit of benchmarks/siox.py to the 12 measured sweeps between 290 and 1169 Ohm of the "
    "multi-state data in hyperionx/mnn-torch, resistances at 0.1 V",
)
"""SiOx, metallic states."""
