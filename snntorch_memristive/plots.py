"""Plots of what a memristive network did, each ``(data, *, ax=None) -> Axes``.

Each draws on the axes that it is given, or on new ones. Quantities come in SI units and are
shown in the units of the laboratory: mV, µs, µS.
"""

from collections.abc import Mapping, Sequence

import torch
from numpy import ndarray
from torch import Tensor

try:
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator
    from snntorch import spikeplot  # imports matplotlib and pandas
except ImportError as error:
    raise ImportError(
        'Expected matplotlib and pandas for plots: run `pip install "snntorch-memristive[demo]"`.'
    ) from error


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
    ax = _axes(ax)
    spk = spk.detach().cpu()
    heights = spk[spk != 0] / spk.max()
    # Lowest spikes must still be seen on white, hence the scale from below 0.
    spikeplot.raster(spk, ax, c=heights, cmap="Greys", vmin=-0.3, vmax=1, s=14, marker="s")
    ax.set_xlim(-0.5, len(spk) - 0.5)
    ax.set_ylim(-1, spk.shape[1])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("Time step")
    ax.set_ylabel("Neuron")
    return ax


def conductances(
    g: Tensor,  # shape: (outputs, inputs), S
    *,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Map of the cells of one half of a crossbar: word lines are rows, bit lines columns.

    Take ``layer.conductances()[0]`` for the positive half, ``[1]`` for the negative one. The
    figure gets a logarithmic colour bar from one of ``limits`` (S) to the other; from the lowest
    to the highest of ``g`` if they are left out.

    Raises:
        ValueError: if ``g`` does not have the two dimensions.
    """
    if g.dim() != 2:
        raise ValueError(f"Expected `g` of shape (outputs, inputs), but got {tuple(g.shape)}.")
    ax = _axes(ax)
    low, high = limits or (float(g.min()), float(g.max()))
    image = ax.imshow(
        _numpy(g.T * 1e6),
        aspect="auto",
        interpolation="nearest",
        norm=LogNorm(low * 1e6, high * 1e6),
    )
    ax.figure.colorbar(image, ax=ax, label="Conductance (µS)", format="%g")
    ax.set_xlabel("Bit line (output)")
    ax.set_ylabel("Word line (input)")
    return ax


def learning_curves(
    accuracies: Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy (0 to 1) after every epoch, a line per network, by its name."""
    ax = _axes(ax)
    for name, curve in accuracies.items():
        percent = [100 * accuracy for accuracy in curve]
        ax.plot(range(1, len(percent) + 1), percent, marker="o", markersize=3, label=name)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Test accuracy (%)")
    ax.legend()
    return ax


def _traces(
    values: Tensor,  # shape: (time,) or (time, neurons)
    dt: float,
    ax: Axes | None,
) -> Axes:
    ax = _axes(ax)
    times = torch.arange(1, len(values) + 1) * (dt * 1e6)
    ax.plot(_numpy(times), _numpy(values), marker="o", markersize=3)
    ax.set_xlabel("Time (µs)")
    return ax


def _axes(ax: Axes | None) -> Axes:
    return pyplot.subplots()[1] if ax is None else ax


def _numpy(values: Tensor) -> ndarray:
    return values.detach().cpu().numpy()
