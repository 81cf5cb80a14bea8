"""Plots of what neurons did."""

import torch
from matplotlib.axes import Axes
from snntorch import spikeplot  # imports matplotlib and pandas
from torch import Tensor

from .drawing import count_along, given_or_new, to_numpy


def voltages(
    volts: Tensor,  # shape: (time,) or (time, neurons), V
    *,
    dt: float = 1e-6,
    ax: Axes | None = None,
) -> Axes:
    """Membrane voltages at the end of every time step of ``dt`` seconds, a line per neuron."""
    ax = _traces(volts * 1e3, dt, ax)
    ax.set_ylabel("Membrane voltage (mV)")
    return ax


def states(
    x: Tensor,  # shape: (time,) or (time, neurons), in [0, 1]
    *,
    dt: float = 1e-6,
    ax: Axes | None = None,
) -> Axes:
    """States of one memristor of every neuron, a line per neuron; ``dt`` in seconds."""
    ax = _traces(x, dt, ax)
    ax.set_ylabel("Memristor state (0 to 1)")
    return ax


def spikes(
    spk: Tensor,  # shape: (time, neurons), in [0, graded_spikes_factor]
    *,
    ax: Axes | None = None,
) -> Axes:
    """Spike raster of :func:`snntorch.spikeplot.raster`; the darker a dot, the higher the spike.

    Raises:
        ValueError: if ``spk`` does not have the two dimensions.
    """
    if spk.dim() != 2:
        raise ValueError(f"Expected `spk` of shape (time, neurons), but got {tuple(spk.shape)}.")
    ax = given_or_new(ax)
    spk = spk.detach().cpu()
    heights = spk[spk != 0] / spk.max()
    # Lowest spikes must still be seen on white, hence the scale from below 0.
    spikeplot.raster(spk, ax, c=heights, cmap="Greys", vmin=-0.3, vmax=1, s=14, marker="s")
    ax.set_xlim(-0.5, len(spk) - 0.5)
    ax.set_ylim(-1, spk.shape[1])
    count_along(ax.xaxis, ax.yaxis)
    ax.set_xlabel("Time step")
    ax.set_ylabel("Neuron")
    return ax


def _traces(
    values: Tensor,  # shape: (time,) or (time, neurons)
    dt: float,
    ax: Axes | None,
) -> Axes:
    ax = given_or_new(ax)
    times = torch.arange(1, len(values) + 1) * (dt * 1e6)
    ax.plot(to_numpy(times), to_numpy(values), marker="o", markersize=3)
    ax.set_xlabel("Time (µs)")
    return ax
