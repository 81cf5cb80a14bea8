"""The metastable-switch memristor."""

from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from ..checks import check_finite, check_greater, check_positive, check_within
from ..relaxation import Relaxation
from ..units import Ampere, Dimensionless, Number, Ohm, PerVolt, Second, Value, Volt
from .device import Device

BOLTZMANN = 1.380649e-23  # J/K, exact (SI 2019)
ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact (SI 2019)


def thermal_voltage(kelvin: Number) -> Number:
    """kT/q (V, the shape of ``kelvin``) at the temperature ``kelvin`` (K).

    >>> round(thermal_voltage(300.0), 6)
    0.025852
    """
    return BOLTZMANN * kelvin / ELEMENTARY_CHARGE


@dataclass(frozen=True)
class MSS(Device):
    r"""Generalised metastable-switch memristor.

    Many parallel switches; ``x`` is the fraction that conducts. A switch turns on at a rate
    that rises with the voltage and off at one that falls with it:

    .. math::
        \tau \dot x &= (1 - x)\, s\!\left(\frac{v - v_{on}}{v_t}\right)
                       - x\, s\!\left(\frac{v_{off} - v}{v_t}\right),
                       \qquad s(z) = \frac{1}{1 + e^{-z}} \\
        i &= \phi\, g(x)\, v + (1 - \phi)\,(a_f e^{b_f v} - a_r e^{-b_r v}),
             \qquad g(x) = \frac{x}{r_{on}} + \frac{1 - x}{r_{off}}

    With ``v_off`` above zero the device forgets by itself (volatile); with ``v_off`` below
    zero it keeps its state at rest. Knowm's papers and models write the off-threshold with the
    other sign: their ``Voff`` is our ``-v_off``.

    Source: M. A. Nugent and T. W. Molter, "AHaH computing - from metastable switches to
    attractors to machine learning", PLoS ONE 9 (2014), doi:10.1371/journal.pone.0085175, and
    the same authors' generalised model, CNNA 2016. Every parameter set names its own source in
    ``source``.

    Raises:
        ValueError: if ``r_off <= r_on``, ``v_off >= v_on``, a resistance, ``v_t`` or ``tau`` is
            not above zero, ``phi`` is outside [0, 1], ``a_f`` differs from ``a_r``, or a value
            is not finite.
    """

    r_on: Ohm
    """Resistance with every switch on."""
    r_off: Ohm
    """Resistance with every switch off."""
    v_on: Volt
    """Voltage at which a switch turns on at half its greatest rate."""
    v_off: Volt
    """Voltage below which a switch turns off at more than half its greatest rate."""
    v_t: Volt
    """Width of both transitions; kT/q for an ideal switch."""
    tau: Second
    """Time constant of the switches."""
    phi: Dimensionless = 1.0
    """Share of the current that is ohmic; the rest crosses a Schottky barrier."""
    a_f: Ampere = 0.0
    """Forward Schottky current."""
    b_f: PerVolt = 0.0
    """Forward Schottky exponent."""
    a_r: Ampere = 0.0
    """Reverse Schottky current."""
    b_r: PerVolt = 0.0
    """Reverse Schottky exponent."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on=self.r_on, r_off=self.r_off)
        check_greater("Ω", r_off=self.r_off, r_on=self.r_on)
        check_finite("V", v_on=self.v_on, v_off=self.v_off)
        check_greater("V", v_on=self.v_on, v_off=self.v_off)
        check_positive("V", v_t=self.v_t)
        check_positive("s", tau=self.tau)
        check_within(0.0, 1.0, phi=self.phi)
        check_finite("A", a_f=self.a_f, a_r=self.a_r)
        numbers = isinstance(self.a_f, Real) and isinstance(self.a_r, Real)
        if numbers and self.a_f != self.a_r:
            raise ValueError(
                f"Expected `a_f` = `a_r`, or there is a current at 0 V, "
                f"but got {self.a_f:g} A and {self.a_r:g} A."
            )
        check_finite("1/V", b_f=self.b_f, b_r=self.b_r)

    @property
    def ohmic(self) -> bool:
        """True if the whole current is ``g(x) v``."""
        return isinstance(self.phi, (int, float)) and self.phi == 1.0

    def relaxation(self, v: Tensor) -> Relaxation:
        """Rate equation of ``x`` under ``v`` (V, any shape): on-rate and sum of rates (1/s)."""
        on = torch.sigmoid((v - self.v_on) / self.v_t) / self.tau
        off = torch.sigmoid((self.v_off - v) / self.v_t) / self.tau
        return Relaxation(drive=on, decay=on + off)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        return self.relaxation(v).rate(x)

    def conductance(self, x: Value) -> Value:
        """Ohmic conductance (S) of state ``x`` in [0, 1], any shape."""
        g_on, g_off = 1 / self.r_on, 1 / self.r_off
        return g_off + (g_on - g_off) * x

    def state(self, conductance: Value) -> Value:
        """State ``x`` whose ohmic conductance (S) is ``conductance``."""
        g_on, g_off = 1 / self.r_on, 1 / self.r_off
        return (conductance - g_off) / (g_on - g_off)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        ohmic = self.conductance(x) * v
        if self.ohmic:
            return ohmic
        schottky = self.a_f * torch.exp(self.b_f * v) - self.a_r * torch.exp(-self.b_r * v)
        return self.phi * ohmic + (1 - self.phi) * schottky


_KNOWM = "GitHub knowm/memristor-models-4-all b6a11f4"

MEMPROP = MSS(
    r_on=1e3,
    r_off=100e3,
    v_on=110e-3,
    v_off=5e-3,
    v_t=15e-3,
    tau=100e-6,
    source="First author's code of MEMprop (arXiv:2206.12992, doi:10.1109/JETCAS.2022.3224071): "
    "GitHub pengzhouzp/snntorch 317bd7a. The step of 1 µs, and with it tau in seconds, is "
    "inferred: no text states it.",
)
"""Volatile memristor of the MEMprop neuron."""

KNOWM_LTSPICE = MSS(
    r_on=500.0,
    r_off=1500.0,
    v_on=0.27,
    v_off=-0.27,
    v_t=thermal_voltage(298.5),
    tau=1e-4,
    source=f"{_KNOWM}, LTspice memristor_knowm.sub",
)
"""Knowm's generic non-volatile memristor as in their LTspice model."""

KNOWM_XYCE = MSS(
    r_on=500.0,
    r_off=1500.0,
    v_on=0.27,
    v_off=-0.27,
    v_t=thermal_voltage(300.0),
    tau=1e-4,
    phi=0.8,
    a_f=8e-4,
    b_f=4.0,
    a_r=8e-4,
    b_r=4.0,
    source=f"{_KNOWM}, Xyce knowm.cir (level 5)",
)
"""Knowm's generic memristor with a Schottky part, as in their Xyce example."""

KNOWM_KT_SYNAPSE = MSS(
    r_on=500.0,
    r_off=5000.0,
    v_on=0.27,
    v_off=-0.27,
    v_t=thermal_voltage(300.0),
    tau=1e-4,
    source="GitHub knowm/jspice 7cdedeb, kT-synapse test circuit (temperature: 300 K assumed)",
)
"""Knowm's kT-synapse memristor."""

KNOWM_IDEAL = MSS(
    r_on=1e5,
    r_off=1e6,
    v_on=0.2,
    v_off=-0.2,
    v_t=thermal_voltage(300.0),
    tau=1e-4,
    source="GitHub knowm/jspice 7cdedeb, ideal MSS and Verilog-A stub (temperature: 300 K assumed)",
)
"""Knowm's ideal metastable-switch memristor."""
