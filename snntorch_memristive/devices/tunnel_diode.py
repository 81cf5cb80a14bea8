"""The tunnel diode: its current has a peak and a valley before it rises for good."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..checks import check_finite, check_positive
from ..units import Ampere, PerVolt, Value, Volt

LOWEST_VOLTAGE, HIGHEST_VOLTAGE = -0.25, 0.6
"""Beyond these (V) the formula grows without bound, and a real diode is its series resistance."""

OUTER_SLOPE = 20e-3
"""Slope (S) of the straight lines there: about that of GI401A's formula where they begin."""


@dataclass(frozen=True)
class TunnelDiode:
    r"""Esaki diode: a tunnelling current, an excess current and an ordinary diode's, in parallel.

    .. math::
        i(v) = i_s \left(e^{v / v_t} - e^{-v / v_t}\right)
            + i_p \frac{v}{v_p}\, e^{1 - v / v_p}
            + i_v \left(\arctan d (v - e) + \arctan d (v + e)\right)

    It has no state. Between peak and valley a higher voltage drives less current. Below -0.25 V
    and above 0.6 V, where the currents are a hundred times the peak's, a straight line goes on.

    Source: V. Ostrovskii et al., Neurocomputing 624 (2025) 129454,
    doi:10.1016/j.neucom.2025.129454, section 2.2.

    Raises:
        ValueError: if ``i_s``, ``v_t``, ``i_p``, ``v_p`` or ``d`` is not above zero, or ``i_v`` or
            ``e`` is not finite.
    """

    i_s: Ampere
    """Saturation current."""
    v_t: Volt
    """Thermal voltage times ideality."""
    i_p: Ampere
    """Peak of the tunnelling current."""
    v_p: Volt
    """Voltage of that peak."""
    i_v: Ampere
    """Scale of the excess current; below zero it deepens the valley."""
    d: PerVolt
    """Steepness of the excess current."""
    e: Volt
    """Voltage at which the excess current sets in."""
    source: str = field(default="", compare=False, repr=False)
    """Where the values were published."""

    def __post_init__(self) -> None:
        check_positive("A", i_s=self.i_s, i_p=self.i_p)
        check_positive("V", v_t=self.v_t, v_p=self.v_p)
        check_positive("1/V", d=self.d)
        check_finite("A", i_v=self.i_v)
        check_finite("V", e=self.e)

    def current(self, v: Tensor) -> Tensor:
        """Current (A) under ``v`` (V), any shape; along a straight line outside the fit."""
        inside = v.clamp(LOWEST_VOLTAGE, HIGHEST_VOLTAGE)
        growth = torch.exp(inside / self.v_t)
        diffusion = self.i_s * (growth - 1 / growth)
        tunnelling = self.i_p / self.v_p * inside * torch.exp(1 - inside / self.v_p)
        excess = torch.atan(self.d * (inside - self.e)) + torch.atan(self.d * (inside + self.e))
        return diffusion + tunnelling + self.i_v * excess + (v - inside) * OUTER_SLOPE

    @property
    def slope_at_0(self) -> Value:
        """Slope of the current (S) at 0 V."""
        excess = 2 * self.i_v * self.d / (1 + (self.d * self.e) ** 2)
        return 2 * self.i_s / self.v_t + self.i_p / self.v_p * math.e + excess


GI401A = TunnelDiode(
    i_s=1.16e-7,
    v_t=0.066,
    i_p=2.17e-5,
    v_p=0.09,
    i_v=-3.22e-6,
    d=26.0,
    e=0.14,
    source="V. Ostrovskii et al., Neurocomputing 624 (2025) 129454, "
    "doi:10.1016/j.neucom.2025.129454: fit to the germanium backward diode GI401A",
)
"""Germanium backward diode."""
