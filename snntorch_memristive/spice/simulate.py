"""A circuit run by ngspice."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from . import ngspice
from .netlist import Netlist, Probe


@dataclass(frozen=True)
class Simulated:
    """A layer of neurons as ngspice computed it (float64)."""

    v: Tensor
    """Membrane voltages (V) at the end of every time step, ``(time, *neurons)``."""
    spk: Tensor
    """What was sent then, ``(time, *neurons)``."""
    times: Tensor
    """These ends (s), ``(time,)``: later by a step for every layer before, if it is clocked."""
    time: Tensor
    """Every moment that ngspice computed (s), ``(points,)``."""
    v_wave: Tensor
    """Membrane voltages (V) at these moments, ``(points, *neurons)``."""


def simulate(netlist: Netlist, *, timeout: float = 3600.0) -> dict[str, Simulated]:
    """What an installed ngspice makes of ``netlist``: its layers of neurons by name.

    Args:
        netlist: from :func:`~snntorch_memristive.spice.netlist`.
        timeout: s, after which ngspice is stopped.

    Raises:
        NgspiceError: if ngspice is missing, stops early, takes longer than ``timeout``, or lacks
            room; with its own last lines. Nothing is left behind.
    """
    vectors = ngspice.run(netlist.text, files=netlist.files, timeout=timeout)
    return {probe.name: _layer(probe, vectors) for probe in netlist.probes}


def _layer(probe: Probe, vectors: dict[str, Tensor]) -> Simulated:
    time = vectors["time"]

    def wave(nodes: tuple[str, ...]) -> Tensor:
        return torch.stack([vectors[f"v({node})"] for node in nodes], 1)

    def at_ends(values: Tensor) -> Tensor:
        # Every step's end is the edge of a source, which ngspice computes: nothing is in between.
        found = [np.interp(probe.times, time, column) for column in values.T]
        return torch.tensor(np.array(found)).T.reshape(-1, *probe.shape)

    v = wave(probe.v)
    return Simulated(
        v=at_ends(v),
        spk=at_ends(wave(probe.spk)),
        times=torch.tensor(probe.times, dtype=torch.float64),
        time=time,
        v_wave=v.reshape(-1, *probe.shape),
    )
