"""The AND-TS selector: silver nanodots in hafnium oxide, a volatile threshold switch."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_finite, check_greater, check_not_negative, check_positive
from ..relaxation import Relaxation
from ..units import Dimensionless, Ohm, Second, Value, Volt
from .device import Device

LARGEST_VOLTAGE = 10.0
"""Beyond this (V) nothing changes but the current."""


@dataclass(frozen=True)
class NanodotSwitch(Device):
    r"""Diffusive memristor: silver bridges the oxide above a threshold voltage, and lets go.

    ``x`` goes up beyond the threshold voltages and down between the hold voltages; in between it
    stays as it is. Either sign of the voltage has its own threshold, hold and resistance.

    .. math::
        \dot x &= \frac{s(\beta_S)}{\tau_S}\, \alpha_S(x)
                  - \frac{s(-\beta_R)}{\tau_R}\, \alpha_R(x), \qquad s(z) = \frac{1}{1 + e^{-z}} \\
        \alpha_S &= \left(1 - e^{-a x - d_S}\right)(1 - x) + \left(1 - e^{-a (1 - x)}\right) x \\
        \alpha_R &= \left(1 - e^{-a x}\right)(1 - x) + \left(1 - e^{-a (1 - x) - d_R}\right) x \\
        \beta_S &= (v - v_{th+})(v - v_{th-}) / v_S^2, \qquad
        \beta_R = (v - v_{h+})(v - v_{h-}) / v_R^2 \\
        i &= x\, v / r_{on\pm}

    It is stated as a relaxation towards a target in [0, 1], where ``x`` stays under any step of an
    exponential solver.

    Source: V. Ostrovskii et al., Neurocomputing 624 (2025) 129454,
    doi:10.1016/j.neucom.2025.129454, equations 3 and 4, fitted to the AND-TS devices of their
    reference 39. Left out: their leakage of 1 pA, whose sign jumps at 0 V.

    Raises:
        ValueError: if a resistance, time, width or ``a`` is not above zero, ``d_s``, ``d_r`` or
            ``spread`` is below zero, or the voltages are not in the order
            ``v_th_n < v_h_n < v_h_p < v_th_p``.
    """

    r_on_p: Ohm
    """Resistance of the device fully on, under a positive voltage."""
    r_on_n: Ohm
    """Under a negative voltage."""
    v_th_p: Volt
    """Voltage above which it switches on."""
    v_th_n: Volt
    """Voltage below which it switches on."""
    v_h_p: Volt
    """Voltage below which it switches off, down to ``v_h_n``."""
    v_h_n: Volt
    """Voltage above which it switches off, up to ``v_h_p``."""
    v_s: Volt
    """Width of the thresholds."""
    v_r: Volt
    """Width of the holds."""
    tau_s: Second
    """Time constant of switching on."""
    tau_r: Second
    """Time constant of switching off."""
    a: Dimensionless
    """How much ``x`` helps itself, up and down."""
    d_s: Dimensionless
    """What starts it switching on at x = 0."""
    d_r: Dimensionless
    """What starts it switching off at x = 1."""
    spread: Volt = 0.0
    """Standard deviation of threshold and hold under a negative voltage from cycle to cycle; only
    a stochastic neuron draws it."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on_p=self.r_on_p, r_on_n=self.r_on_n)
        check_positive("V", v_s=self.v_s, v_r=self.v_r)
        check_positive("s", tau_s=self.tau_s, tau_r=self.tau_r)
        check_positive("", a=self.a)
        check_not_negative(d_s=self.d_s, d_r=self.d_r, spread=self.spread)
        check_finite("V", v_th_p=self.v_th_p, v_th_n=self.v_th_n)
        check_greater("V", v_th_p=self.v_th_p, v_h_p=self.v_h_p)
        check_greater("V", v_h_p=self.v_h_p, v_h_n=self.v_h_n)
        check_greater("V", v_h_n=self.v_h_n, v_th_n=self.v_th_n)

    def conductance(self, x: Tensor, v: Tensor) -> Tensor:
        """Conductance (S) in state ``x`` under ``v`` (V), of whose sign it depends."""
        return torch.where(v < 0, x / self.r_on_n, x / self.r_on_p)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        return self.conductance(x, v) * v

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` under ``v`` (V); shapes broadcast."""
        on, off = self.switching(v)
        p = torch.exp(-self.a * x)
        q = torch.exp(self.a * x - self.a)  # a division of ngspice is right to 1e-11 only
        setting = (1 - _exp(-self.d_s) * p) * (1 - x) + (1 - q) * x
        resetting = (1 - p) * (1 - x) + (1 - _exp(-self.d_r) * q) * x
        return on * setting - off * resetting

    def relaxation(self, x: Tensor, v: Tensor) -> Relaxation:
        """The same rate as a relaxation of ``x``; both its terms depend on ``x``, too."""
        on, off = self.switching(v)
        decay = (1 + self.a) * (on + off)  # at most: so its target is in [0, 1]
        return Relaxation(drive=self.rate(x, v) + decay * x, decay=decay)

    def switching(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """How fast (1/s) it switches on, and off, under ``v`` (V)."""
        v = v.clamp(-LARGEST_VOLTAGE, LARGEST_VOLTAGE)
        on = torch.sigmoid((v - self.v_th_p) * (v - self.v_th_n) / self.v_s**2) / self.tau_s
        off = torch.sigmoid((v - self.v_h_p) * (self.v_h_n - v) / self.v_r**2) / self.tau_r
        return on, off


def _exp(value: Value) -> Any:
    """e to a parameter, which may be a number."""
    return math.exp(value) if isinstance(value, float) else value.exp()


AND_TS = NanodotSwitch(
    r_on_p=806.0,
    r_on_n=1434.0,
    v_th_p=0.267,
    v_th_n=-0.119,
    v_h_p=0.08,
    v_h_n=-0.006,
    v_s=0.0099,
    v_r=0.0175,
    tau_s=1.2e-7,
    tau_r=1.3e-7,
    a=2.0,
    d_s=0.05,
    d_r=0.5,
    spread=0.010,
    source="V. Ostrovskii et al., Neurocomputing 624 (2025) 129454, "
    "doi:10.1016/j.neucom.2025.129454: fit to one cycle of an Ag-nanodot / HfO2 selector (text as "
    "in GitHub DamirAhm/diplom 33ac201)",
)
"""Ag nanodots / HfO2, the reference cycle."""
