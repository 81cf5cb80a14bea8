"""The neuron of silver nanodots."""

from typing import Any

import torch
from torch import Tensor

from ..circuits import Circuit, NanodotCircuit, StochasticNanodotCircuit
from ..relaxation import State
from .mif import MIF

ON = 0.05
"""State above which the switch counts as on, between one time step and the next."""


class Nanodot(MIF):
    r"""Neuron of a diffusive memristor and a tunnel diode, in the place of ``snn.Leaky``.

    :class:`~snntorch_memristive.MIF` on another circuit,
    :class:`~snntorch_memristive.circuits.NanodotCircuit`, with the time step and the solver that
    suit it.
    """

    def __init__(
        self,
        beta: float | Tensor | None = None,
        *args: Any,
        circuit: Circuit = NanodotCircuit(),  # noqa: B008 (frozen)
        dt: float = 2e-6,
        substeps: int = 40,
        solver: str = "rk4",
        stochastic: bool = False,
        **settings: Any,
    ) -> None:
        if stochastic:
            circuit = StochasticNanodotCircuit.of(circuit)
        super().__init__(
            beta, *args, circuit=circuit, dt=dt, substeps=substeps, solver=solver, **settings
        )
        self._is_stepwise = stochastic

    def _integrate(self, input_: Tensor, mem: Tensor, states: State) -> tuple[State, Tensor, State]:
        return super()._integrate(input_, mem, drawn(states) if self._is_stepwise else states)


@torch.no_grad()
def drawn(states: State) -> State:
    """``states`` with draws for a cycle, each of which is made while it has no effect.

    The hold voltage counts while the switch is on, and is drawn while it is off; the threshold
    is drawn while it is on, and at the very first.
    """
    is_on, z_th, z_h = states["x"] > ON, states["z_th"], states["z_h"]
    return states | {
        "z_th": torch.where(is_on | (z_th == 0), torch.randn_like(z_th), z_th),
        "z_h": torch.where(is_on, z_h, torch.randn_like(z_h)),
    }
