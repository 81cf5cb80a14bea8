"""A relaxation oscillator: the neuron that fires for as long as it is driven."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..checks import check_positive
from ..devices import VO2, MottSwitch
from ..relaxation import Equation, Relaxation, State
from ..units import Farad, Ohm, Value
from .circuit import Circuit


@dataclass(frozen=True)
class MottCircuit(Circuit):
    r"""A Mott threshold switch, a capacitor and a load, all in parallel (Pearson and Anson).

    The current charges the capacitor until the switch heats itself into its metallic state and
    discharges it; without voltage there is no heat, the switch cools, and all begins anew. Under
    a constant current this goes on for ever, between the two currents of
    :meth:`firing_currents`: below them the membrane settles as an insulator's, above them as a
    metal's. The range is 0.71 to 1.57 mA as published, where the film is kept at 325 K; without
    the load and at 293 K, as in ``MottCircuit(m=replace(VO2, t_amb=293.15), r_load=1e9)``, it is
    more than a decade, 0.20 to 2.71 mA.

    .. math::
        c_{mem} \dot v = i_{in} - g(x)\, v - v / r_{load}

    and :math:`x` follows the switch under :math:`v`. States: ``v`` (V) and ``x`` (normalised
    temperature, 1 at the middle of the transition).

    Source: as :class:`~.MottSwitch`, whose authors drive the circuit
    with a voltage through a resistor of 12 kΩ: that is the load, and ``i_in`` the voltage over
    it (Norton).

    Raises:
        ValueError: if ``r_load`` or ``c_mem`` is not above zero.
    """

    states: ClassVar[tuple[str, ...]] = ("v", "x")
    state_units: ClassVar[dict[str, str]] = {"v": "V", "x": "1"}

    m: MottSwitch = VO2
    """Switch that discharges the membrane."""
    r_load: Ohm = 12e3
    """Resistor to ground."""
    c_mem: Farad = 145.34619293e-12
    """Membrane capacitor."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_load=self.r_load)
        check_positive("F", c_mem=self.c_mem)

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The membrane, then the switch under its new voltage."""
        return (self.membrane,) if hold_memristors else (self.membrane, self.heat)

    def membrane(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Kirchhoff's current law at the membrane."""
        g = self.m.conductance(state["x"]) + 1 / self.r_load
        return {"v": Relaxation(drive=i_in / self.c_mem, decay=g / self.c_mem)}

    def heat(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """The switch under the voltage of the membrane."""
        return {"x": self.m.relaxation(state["x"], state["v"])}

    @property
    def v_threshold(self) -> Value:
        """Threshold voltage of the switch (V)."""
        return self.m.v_threshold

    def firing_currents(self) -> tuple[float, float]:
        r"""Lowest and highest constant current (A) for which the circuit fires.

        There its fixed point loses its stability, and regains it: the trace of the Jacobian,

        .. math::
            \frac{\partial \dot v}{\partial v} + \frac{\partial \dot x}{\partial x},

        is zero. (Its determinant is above zero as long as each current has one fixed point.) From
        rest the circuit fires from up to 0.8 % below the lowest: there both are stable.

        Raises:
            ValueError: if it fires at no current: the capacitor or the load is too small. Or if
                the load is so heavy that several fixed points belong to one current: then this
                criterion does not tell.
        """
        reach = 1 + 20 * self.m.t_w / (self.m.t_c - self.m.t_amb)
        x = torch.linspace(0, reach, 100_001, dtype=torch.float64)[1:].requires_grad_()
        v = self.m.steady_voltage(x).detach().requires_grad_()
        i_in = self.m.current(x, v) + v / self.r_load
        if bool((i_in.diff() <= 0).any()):
            raise ValueError(
                f"Expected a load that leaves one fixed point for each current, but {self} has "
                "several: raise `r_load`."
            )
        rate = self.rate({"v": v, "x": x}, i_in.detach())
        (slope_v,) = torch.autograd.grad(rate["v"].sum(), v, retain_graph=True)
        (slope_x,) = torch.autograd.grad(rate["x"].sum(), x)
        firing = i_in[slope_v + slope_x > 0]
        if len(firing) == 0:
            raise ValueError(f"Expected a circuit that fires at some current, but {self} rests.")
        return firing.min().item(), firing.max().item()
