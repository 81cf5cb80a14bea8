"""Plots of what ngspice computed."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from ..spice import LayerComparison
from .drawing import given_or_new, to_numpy


def compared(
    layer: LayerComparison, neurons: Sequence[int] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Membranes of some ``neurons`` of ``layer``, by their numbers; of all if left out.

    ngspice's are lines, the package's dots.
    """
    ax = given_or_new(ax)
    simulated = layer.simulated
    for number in layer.numbers if neurons is None else neurons:
        k = layer.numbers.index(number)
        wave = simulated.v_wave.flatten(1)[:, k]
        (line,) = ax.plot(to_numpy(simulated.time * 1e6), to_numpy(wave * 1e3), lw=1)
        dots = layer.v.flatten(1)[:, k]
        ax.plot(
            *(to_numpy(values) for values in (simulated.times * 1e6, dots * 1e3)),
            "o",
            markersize=3,
            color=line.get_color(),
            label=f"neuron {number}",
        )
    ax.set_xlabel("Time (µs)")
    ax.set_ylabel("Membrane voltage (mV)")
    ax.set_title(f"{layer.name}: ngspice (lines) and package (dots)", fontsize=10)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))  # beside: no room inside
    return ax
