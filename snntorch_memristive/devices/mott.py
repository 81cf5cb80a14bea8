"""The Mott threshold switch: Joule heat takes an insulator through its transition to a metal."""

from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor

from ..checks import check_greater, check_positive
from ..relaxation import Relaxation
from ..units import Kelvin, Ohm, Second, Value

WattPerKelvin = Annotated[Value, "W/K"]

LARGEST_VOLTAGE = 1e6
"""Beyond this (V) heat would leave the numbers of float32."""


@dataclass(frozen=True)
class MottSwitch:
    r"""Volatile threshold switch whose insulator becomes a metal when its own heat warms it up.

    Insulating grains, thermally activated and fewer of them the hotter it is, are in series with
    what stays of the metal; Joule heat warms the device and leaks to its surroundings:

    .. math::
        \frac{1}{g(x)} &= r_0\, e^{e_a / T}\, s\!\left(\frac{t_c - T}{t_w}\right) + r_m,
                          \qquad T = t_{amb} + (t_c - t_{amb})\, x,
                          \qquad s(z) = \frac{1}{1 + e^{-z}} \\
        \tau \dot x &= \frac{g(x)\, v^2}{g_{th}\,(t_c - t_{amb})} - x

    ``x`` is the temperature: 0 at the surroundings', 1 at the middle of the transition, and not
    bounded by 1 (a discharge takes the VO2 switch below to 7). A held voltage above
    :attr:`v_threshold` heats the device faster than it can cool, and it switches on.

    Source: Y.-H. Zhang, C. Sipling, E. Qiu, I. K. Schuller and M. Di Ventra, "Collective dynamics
    and long-range order in thermal neuristor networks", Nature Communications 15 (2024),
    arXiv:2312.12899, as in the authors' code (GitHub
    yuanhangzhang98/collective_dynamics_neuristor 217d4f0, ``model.py``).

    Left out of theirs: the loop between heating and cooling, that is, these are their equations
    at a loop width w of 0, which leaves the line in the middle of the loop and neither reversal
    points nor minor loops; the heat of neighbours; noise; the temperature at which their
    resistance stops to follow (370 K). With the loop, their circuit fires between 10.0 and 15.5 V
    at its source rather than between 8.5 and 18.9 V; its period is within a quarter of the one
    here from 11 V on, and longer below (``tests/test_mott.py``).

    Raises:
        ValueError: if a value is not finite and above zero, or ``t_c <= t_amb``.
    """

    r_0: Ohm
    """Insulator's resistance, extrapolated to infinite temperature."""
    e_a: Kelvin
    """Its activation energy over Boltzmann's constant."""
    t_c: Kelvin
    """Temperature at which half of the insulator is left."""
    t_w: Kelvin
    """Width of the transition."""
    r_m: Ohm
    """Resistance of the metal, in series."""
    g_th: WattPerKelvin
    """Thermal conductance to the surroundings."""
    tau: Second
    """Time constant of cooling: heat capacity over ``g_th``."""
    t_amb: Kelvin
    """Temperature of the surroundings."""
    source: str = field(default="", compare=False, repr=False)
    """Where the values were published."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_0=self.r_0, r_m=self.r_m)
        check_positive("K", e_a=self.e_a, t_c=self.t_c, t_w=self.t_w, t_amb=self.t_amb)
        check_greater("K", t_c=self.t_c, t_amb=self.t_amb)
        check_positive("W/K", g_th=self.g_th)
        check_positive("s", tau=self.tau)

    def temperature(self, x: Tensor) -> Tensor:
        """Temperature (K) of state ``x``, any shape."""
        return self.t_amb + (self.t_c - self.t_amb) * x

    def resistance(self, x: Tensor) -> Tensor:
        """Resistance (Ω) of state ``x``, any shape."""
        t = self.temperature(x)
        insulating = torch.sigmoid((self.t_c - t) / self.t_w)
        return self.r_0 * torch.exp(self.e_a / t) * insulating + self.r_m

    def conductance(self, x: Tensor) -> Tensor:
        """Conductance (S) of state ``x``, any shape."""
        return 1 / self.resistance(x)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        return self.conductance(x) * v

    def relaxation(self, x: Tensor, v: Tensor) -> Relaxation:
        """Rate equation of ``x`` under ``v`` (V): heating, which depends on ``x``, and cooling."""
        v = v.clamp(-LARGEST_VOLTAGE, LARGEST_VOLTAGE)
        heating = self.current(x, v) * v / self.transition_power
        return Relaxation(drive=heating / self.tau, decay=1 / self.tau)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` under ``v`` (V); shapes broadcast."""
        return self.relaxation(x, v).rate(x)

    @property
    def transition_power(self) -> Value:
        """Power (W) that keeps the device at the middle of its transition, x = 1."""
        return self.g_th * (self.t_c - self.t_amb)

    def steady_voltage(self, x: Tensor) -> Tensor:
        """Voltage (V) whose heat keeps the device in state ``x`` >= 0, any shape."""
        return (x * self.transition_power * self.resistance(x)).sqrt()

    @property
    def v_threshold(self) -> Value:
        """Threshold voltage (V): the highest that an insulator can bear in steady state.

        From here on a higher current needs a lower voltage (negative differential resistance).

        Raises:
            ValueError: if there is no such voltage below ``t_c``.
        """
        low, high = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
        for _ in range(100):  # a third less each time
            left, right = (2 * low + high) / 3, (low + 2 * high) / 3
            rises = self.steady_voltage(left) < self.steady_voltage(right)
            low, high = torch.where(rises, left, low), torch.where(rises, high, right)
        v = self.steady_voltage(low)
        if not bool((v > self.steady_voltage(torch.ones_like(low))).all()):
            raise ValueError(f"Expected {self} to switch below `t_c`, but its voltage only rises.")
        return v.item() if v.dim() == 0 else v


VO2 = MottSwitch(
    r_0=5.35882879e-3,
    e_a=5220.47417,
    t_c=332.805839,
    t_w=1 / (2 * 0.252796285),
    r_m=262.5 * 4.90025335,
    g_th=0.20558726e-3,
    tau=49.62776831e-12 / 0.20558726e-3,
    t_amb=325.0,
    source="Y.-H. Zhang et al., Nature Communications 15 (2024), arXiv:2312.12899, as in the "
    "authors' code (GitHub yuanhangzhang98/collective_dynamics_neuristor 217d4f0): their beta is "
    "1 / (2 t_w), their C_th is tau g_th; middle line of their loop",
)
"""Vanadium dioxide, the thermal neuristor's film."""
