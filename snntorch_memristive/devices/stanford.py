"""The gap model of filamentary RRAM from Stanford, Peking and Arizona State universities."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_greater, check_not_negative, check_positive
from ..units import (
    Ampere,
    Dimensionless,
    ElectronVolt,
    Kelvin,
    KelvinPerWatt,
    Metre,
    MetrePerSecond,
    Value,
    Volt,
    VoltPerMetre,
)
from .device import Device
from .mss import thermal_voltage
from .windows import HARD_STOP


@dataclass(frozen=True)
class StanfordRRAM(Device):
    r"""A filament that ends a tunnelling gap ``g`` before the electrode.

    Vacancies are generated and recombine over two barriers that the local field tilts, at the
    temperature that the current heats the filament to:

    .. math::
        i &= i_0\, e^{-g / g_0} \sinh(v / v_0) \\
        \dot g &= -\nu \left[ e^{-E_{set}/kT}\, e^{u} - e^{-E_{reset}/kT}\, e^{-u} \right],
            \qquad u = \gamma\, \frac{a_0}{t_{ox}} \frac{q v}{k T} \\
        \gamma &= \gamma_0 - \beta\, (g / g_1)^3, \qquad T = T_0 + R_{th}\, v\, i

    The gap is stopped at ``gap_min`` and ``gap_max``, and the state is
    :math:`x = (g_{max} - g) / (g_{max} - g_{min})`. Below a local field :math:`\gamma |v| / t_{ox}`
    of ``f_min`` the original takes :math:`\gamma = 0`. It keeps its state at 0 V if both barriers
    are equal; then the bracket is :math:`2 e^{-E/kT} \sinh u`, so that a published prefactor of
    the sinh is twice our :math:`\nu`. The random part of the original is left out.

    Source: X. Guan, S. Yu and H.-S. P. Wong, "A SPICE compact model of metal oxide resistive
    switching memory with variations", IEEE Electron Device Letters 33 (2012),
    doi:10.1109/LED.2012.2210856; Z. Jiang et al., "A compact model for metal-oxide resistive
    random access memory with experiment verification", IEEE Transactions on Electron Devices 63
    (2016), doi:10.1109/TED.2016.2545412. The form with two barriers is that of the Verilog-A model
    of Stanford and Arizona State universities, to our memory P.-Y. Chen and S. Yu, "Compact
    modeling of RRAM devices and its applications in 1T1R and 1S1R array design", same journal 62
    (2015), doi:10.1109/TED.2015.2492421; there the temperature follows the power with a time
    constant of 0.23 ns, here at once.

    Raises:
        ValueError: if ``gap_max <= gap_min``, a value other than ``r_th``, ``beta`` and ``f_min``
            is not above zero, one of these is below zero, or ``gamma`` is not above zero in the
            whole gap.
    """

    i0: Ampere
    """Amplitude of the current without a gap."""
    g0: Metre
    """Gap over which the current falls by a factor e."""
    v0: Volt
    """Voltage scale of the current."""
    velocity: MetrePerSecond
    """Speed of the gap without barriers."""
    e_set: ElectronVolt
    """Barrier to the generation of a vacancy, which closes the gap."""
    e_reset: ElectronVolt
    """Barrier to the recombination of a vacancy, which opens the gap."""
    gamma0: Dimensionless
    """Enhancement of the local field without a gap."""
    beta: Dimensionless
    """Loss of this enhancement at a gap of ``g1``."""
    a0: Metre
    """Distance of a hop."""
    t_ox: Metre
    """Thickness of the oxide."""
    gap_min: Metre
    """Gap at ``x = 1``."""
    gap_max: Metre
    """Gap at ``x = 0``."""
    r_th: KelvinPerWatt
    """Thermal resistance of the filament."""
    t0: Kelvin
    """Temperature without current."""
    f_min: VoltPerMetre = 0.0
    """Local field below which the voltage moves nothing."""
    g1: Metre = 1e-9
    """Gap at which ``beta`` is stated."""

    def __post_init__(self) -> None:
        check_positive("A", i0=self.i0)
        check_positive("m", g0=self.g0, g1=self.g1, a0=self.a0, t_ox=self.t_ox)
        check_positive("m", gap_min=self.gap_min, gap_max=self.gap_max)
        check_greater("m", gap_max=self.gap_max, gap_min=self.gap_min)
        check_positive("V", v0=self.v0)
        check_positive("m/s", velocity=self.velocity)
        check_positive("eV", e_set=self.e_set, e_reset=self.e_reset)
        check_positive("K", t0=self.t0)
        check_not_negative(r_th=self.r_th, beta=self.beta, f_min=self.f_min)
        gamma = self._gamma(self.gap_max)
        if isinstance(gamma, (int, float)) and not gamma > 0:
            raise ValueError(
                f"Expected `gamma0` > `beta` (`gap_max` / `g1`)^3, but got gamma0={self.gamma0:g} "
                f"and {self.gamma0 - gamma:g}."
            )

    def gap(self, x: Tensor) -> Tensor:
        """Tunnelling gap (m) of state ``x`` in [0, 1]."""
        return self.gap_max - (self.gap_max - self.gap_min) * x

    def temperature(self, x: Tensor, v: Tensor) -> Tensor:
        """Temperature (K) of the filament in state ``x`` under ``v`` (V)."""
        return self.t0 + self.r_th * v * self.current(x, v)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        gamma, kt = self._gamma(self.gap(x)), thermal_voltage(self.temperature(x, v))
        tilt = torch.where(
            gamma * abs(v) < self.f_min * self.t_ox, 0.0, gamma * (self.a0 / self.t_ox) * v
        )
        closing = torch.exp((tilt - self.e_set) / kt) - torch.exp(-(tilt + self.e_reset) / kt)
        return HARD_STOP.apply(self.velocity / (self.gap_max - self.gap_min) * closing, x)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        return self.i0 * torch.exp(-self.gap(x) / self.g0) * torch.sinh(v / self.v0)

    def _gamma(self, gap: Value) -> Value:
        return self.gamma0 - self.beta * (gap / self.g1) ** 3


STANFORD_PKU = StanfordRRAM(
    i0=1e-3,
    g0=0.25e-9,
    v0=0.25,
    velocity=10.0 / 2,
    e_set=0.6,
    e_reset=0.6,
    gamma0=16.0,
    beta=0.8,
    a0=0.25e-9,
    t_ox=12e-9,
    gap_min=0.2e-9,
    gap_max=1.7e-9,
    r_th=2.1e3,
    t0=298.0,
    f_min=1.4e9,
    source="Defaults of the authors' Verilog-A model 1.0.0 (NEEDS, doi:10.4231/D37H1DN48), as in "
    "two ports to Python that agree: GitHub coreylammie/MemTorch 27b1880, Stanford_PKU.py, and M. "
    "Watfa's RRAM class (2023), which also has the two gaps. velocity is half of the published "
    "10 m/s",
)
"""Metal oxide, 542 ohm to 219 kilohm at 0.1 V; sets at a few volts."""

STANFORD_ASU = StanfordRRAM(
    i0=6.14e-5,
    g0=2.7505e-10,
    v0=0.43,
    velocity=150.0,
    e_set=1.501,
    e_reset=1.5,
    gamma0=16.5,
    beta=1.25,
    a0=0.25e-9,
    t_ox=5e-9,
    gap_min=0.1e-9,
    gap_max=1.7e-9,
    r_th=2.3e-10 / 3.1825e-16,
    t0=298.0,
    source="Defaults of the Verilog-A model of Stanford and Arizona State universities (copy in "
    "GitHub ZongxianYang0521/RRAM_model); the same, rounded, in GitHub RiccMore/"
    "CurrentLimitedMemristor. r_th is inferred: its thermal time constant over its thermal "
    "capacitance. Its barriers differ by 1 meV, so that at 0 V the gap opens, by less than 1e-12 "
    "of its range in a second",
)
"""Hafnium oxide of 5 nm."""
