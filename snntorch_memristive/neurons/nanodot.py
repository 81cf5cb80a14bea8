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
    :class:`~.NanodotCircuit`, with the time step and the solver that
    suit it. A constant input from 0.178 times ``(1 - beta) threshold`` on (20.7 µA) makes it fire,
    steadily up to 22.25 µA, where the period is 95 µs; then periods scatter and grow, and from
    25 µA on it answers once and stays half on until the input falls (the authors' excitation
    block).

    So a network drives it with inputs that change, or gets one spike, as from
    :class:`~snntorch_memristive.MIF`. ``threshold=3`` or so suits inputs of usual size.
    ``mem`` climbs slowly past the diode's peak and then jumps: ``spike="rectified"`` sends
    while it climbs, and ``"binary"`` misses peaks that fall between two steps. Under a constant
    input the gradient is steep near 20.7 µA, where the time of a spike is: clip it.

    Example::

        neuron = snnm.Nanodot()
        spk, mem = neuron.sequence(torch.full((240, 1), 0.0845))  # 22 µA, 480 µs, 4 spikes

    Args:
        beta: as in :class:`~snntorch_memristive.MIF`; 0.555 if left out, the published capacitor.
            It is what the diode leaves at rest, and more is left above; a smaller capacitor needs
            shorter sub-steps.
        dt: length of one time step in s; some 50 of the default make a period.
        substeps, solver: parts of a step, and how they are solved. The default takes the authors'
            method and step, 50 ns; with it the membrane is within 0.5 % of its range of SPICE over
            240 µs. Half as many parts do for training: up to 5 %, the time of a spike mostly.
        stochastic: give every cycle of the switch a threshold and a hold voltage of its own, from
            normal distributions of the ``spread`` of the switch (10 mV, published). They are drawn
            from torch's generator, so that ``torch.manual_seed`` repeats them, in ``eval`` too. The
            gradient is that of the path that was drawn. A sequence is then taken step by step.
            A hold voltage that is drawn too low for the input leaves the switch on: at 22 µA more
            than half of the neurons have stopped after 1.2 ms. A netlist has the mean voltages.
        args, circuit, settings: as in :class:`~snntorch_memristive.MIF`.
            ``reset_mechanism="none"`` holds the switch and leaves the capacitor and the diode.

    Raises:
        ValueError, TypeError: as :class:`~snntorch_memristive.MIF`; TypeError if ``stochastic``
            and ``circuit`` is no NanodotCircuit.
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
