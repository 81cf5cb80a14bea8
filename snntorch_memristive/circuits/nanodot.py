"""A diffusive memristor beside a tunnel diode: the neuron of silver nanodots."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..checks import check_finite, check_positive
from ..devices import AND_TS, GI401A, NanodotSwitch, TunnelDiode
from ..relaxation import SLOWEST, Equation, Relaxation, State
from ..units import Farad, Value, Volt
from .circuit import Circuit


@dataclass(frozen=True)
class NanodotCircuit(Circuit):
    r"""An AND-TS switch, a tunnel diode and a capacitor, all in parallel (quasi-Hodgkin-Huxley).

    The diode is the leak up to its peak current. A current above that leaves it no fixed point
    short of its valley: the membrane jumps, the switch goes on at its threshold voltage, pulls
    the membrane down and lets go near its hold voltage. Well above the peak the switch is kept
    half on, and the membrane rests between the two (the authors' excitation block).

    .. math::
        c_{mem} \dot v = i_{in} - i_{td}(v + e_{td}) + i_{ts}(x, -v - e_{ts})

    and :math:`x` follows the switch, which is mounted in reverse, under :math:`-v - e_{ts}`.
    States: ``v`` (V) and ``x`` (0 off, 1 on).

    Source: V. Ostrovskii et al., Neurocomputing 624 (2025) 129454,
    doi:10.1016/j.neucom.2025.129454, equation 2; ``c_mem`` and ``e_td`` are those of its estimate
    of 150 pJ per spike (section 4). Its figures are at 22 nF and 0.04 V.

    Raises:
        ValueError: if ``c_mem`` is not above zero or a source is not finite.
    """

    states: ClassVar[tuple[str, ...]] = ("v", "x")
    state_units: ClassVar[dict[str, str]] = {"v": "V", "x": "1"}

    m: NanodotSwitch = AND_TS
    """Switch that discharges the membrane."""
    td: TunnelDiode = GI401A
    """Leak, and what makes the membrane jump."""
    e_td: Volt = 60e-3
    """Source in series with the diode; the membrane rests at its negative."""
    e_ts: Volt = 0.0
    """Source in series with the switch, by which its voltages are tuned."""
    c_mem: Farad = 2.2e-9
    """Membrane capacitor."""

    def __post_init__(self) -> None:
        check_positive("F", c_mem=self.c_mem)
        check_finite("V", e_td=self.e_td, e_ts=self.e_ts)

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The membrane, then the switch under its new voltage."""
        return (self.membrane,) if hold_memristors else (self.membrane, self.switching)

    def switch(self, state: State) -> NanodotSwitch:
        """The switch as it is in this cycle."""
        return self.m

    def membrane(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Kirchhoff's current law at the membrane."""
        v = state["v"]
        g_rest = self.td.slope_at_0
        g = self.m.conductance(state["x"], -v - self.e_ts)
        bent = self.td.current(v + self.e_td) - g_rest * v
        drive = i_in - bent - g * self.e_ts
        return {"v": Relaxation(drive=drive / self.c_mem, decay=(g + g_rest) / self.c_mem)}

    def switching(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """The switch under the voltage of the membrane."""
        return {"x": self.switch(state).relaxation(state["x"], -state["v"] - self.e_ts)}

    @property
    def v_threshold(self) -> Value:
        """Membrane voltage (V) at which the switch goes on."""
        return -self.m.v_th_n - self.e_ts

    @property
    def threshold_current(self) -> float:
        """Constant current (A) above which it leaves rest: the most that the diode takes on."""
        v = torch.linspace(0, self.v_threshold + self.e_td, 10_001, dtype=torch.float64)
        return self.td.current(v).max().item()


@dataclass(frozen=True)
class StochasticNanodotCircuit(NanodotCircuit):
    r"""The same, whose switch has other voltages in every cycle.

    .. math::
        v_{th-} + \mathrm{spread} \cdot z_{th}, \qquad v_{h-} + \mathrm{spread} \cdot z_h

    States: those of :class:`NanodotCircuit`, and the standard normal deviates ``z_th`` and ``z_h``,
    which stand still: whoever runs the circuit draws them.

    Source: as :class:`NanodotCircuit`, whose authors draw both from a normal distribution.
    """

    states: ClassVar[tuple[str, ...]] = (*NanodotCircuit.states, "z_th", "z_h")
    state_units: ClassVar[dict[str, str]] = NanodotCircuit.state_units | {"z_th": "1", "z_h": "1"}

    @classmethod
    def of(cls, circuit: Circuit) -> "StochasticNanodotCircuit":
        """``circuit`` with voltages that are drawn.

        Raises:
            TypeError: if it is no NanodotCircuit.
        """
        if not isinstance(circuit, NanodotCircuit):
            raise TypeError(f"Expected a NanodotCircuit, but got {type(circuit).__name__}.")
        return cls(**{field.name: getattr(circuit, field.name) for field in fields(circuit)})

    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The draws, which stand still, then the circuit."""
        return *super().equations(hold_memristors), *(() if hold_memristors else (self.draws,))

    def switch(self, state: State) -> NanodotSwitch:
        """The switch as it is in this cycle."""
        shifts = {"v_th_n": state["z_th"], "v_h_n": state["z_h"]}
        drawn = {n: getattr(self.m, n) + self.m.spread * z for n, z in shifts.items()}
        return replace(self.m, **drawn)

    def draws(self, state: State, i_in: Tensor) -> dict[str, Relaxation]:
        """Nothing moves them."""
        still = Relaxation(drive=0.0, decay=SLOWEST)
        return {"z_th": still, "z_h": still}
