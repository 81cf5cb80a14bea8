"""The neuron that fires tonically."""

import math
from typing import Any

import torch
from torch import Tensor

from ..circuits import Circuit, MottCircuit
from .mif import MIF

LONGEST = 2.5
"""Part of a step over the shortest time constant; the fourth order diverges from 2.8 on."""


class Mott(MIF):
    r"""Tonically firing neuron: a Mott switch that heats and cools, in the place of ``snn.Leaky``.

    :class:`~snntorch_memristive.MIF` on another circuit,
    :class:`~.MottCircuit`, with the time step and the solver that
    suit it. Under a constant input of 1.16 to 2.58 times ``(1 - beta) threshold`` it goes on
    firing, the faster the stronger the input, at about 170 to 510 kHz.

    Two things are the circuit's own. Beyond that range the switch stays hot: the membrane
    settles at 0.4 of threshold and fires no more. And ``mem`` is a saw-tooth, so that
    ``spike="rectified"`` sends most while the membrane charges; ``"binary"`` is 1 around every
    peak, where ``mem`` is above threshold, and 0 under an input too weak or too strong.

    Inputs of the size that ``snn.Leaky`` is used to, held over many steps, lie beyond that
    range; a higher ``threshold`` brings them back (5 for scikit-learn's digits over 25 steps).
    Under a constant input the gradient with respect to it grows with the number of spikes, as
    the time of a spike follows from all periods before: clip it over long sequences.

    Example::

        neuron = snnm.Mott()
        spk, mem = neuron.sequence(torch.full((200, 1), 0.1))  # 20 µs, 7 spikes

    Args:
        beta: as in :class:`~snntorch_memristive.MIF`; 0.932 if left out, the published capacitor.
            Below 0.56 (17.5 pF) the circuit follows its input without firing.
        dt: length of one time step in s; some 25 of the default make a period.
        substeps, solver: parts of a step, and how they are solved. With the default the membrane
            is within 0.5 % of its range of SPICE over 100 steps, and the period within 0.01 %.
            The classical Runge-Kutta method suits a circuit whose steepest change is growth
            and not decay: "magnus" needs four times as many parts.
        args, circuit, settings: as in :class:`~snntorch_memristive.MIF`.

    Raises:
        ValueError, TypeError: as :class:`~snntorch_memristive.MIF`; ValueError if the parts of a
            step are longer than "rk4" bears: 2.5 times the time constant of the capacitor with
            the hot switch, 0.19 µs as published and in proportion to ``1 / -log(beta)``. Training
            ``beta`` can lead there, and then to NaN: keep it above 0.1, or raise ``substeps``.
    """

    def __init__(
        self,
        beta: float | Tensor | None = None,
        *args: Any,
        circuit: Circuit = MottCircuit(),  # noqa: B008 (frozen)
        dt: float = 100e-9,
        substeps: int = 8,
        solver: str = "rk4",
        **settings: Any,
    ) -> None:
        super().__init__(
            beta, *args, circuit=circuit, dt=dt, substeps=substeps, solver=solver, **settings
        )
        if isinstance(circuit, MottCircuit) and solver in ("euler", "rk4"):
            self._check_parts(float(circuit.m.r_m))

    def _check_parts(self, r_m: float) -> None:
        """Refuse parts of a step under which the hot switch would not settle but diverge."""
        shortest = float(self._coefficients(torch.float32)["c_mem"].min()) * r_m
        if self.dt / self.substeps > LONGEST * shortest:
            parts = math.ceil(self.dt / (LONGEST * shortest))
            raise ValueError(
                f"Expected `substeps` >= {parts} for this `beta` and `dt`, so that the capacitor "
                f"can follow the hot switch within {1e9 * shortest:.3g} ns, but got "
                f"{self.substeps}."
            )
