"""The figure of the demonstration."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from .. import plots
from .measures import record
from .network import Net

TRACED = 4
"""Neurons whose voltages and states are drawn."""

IN_RASTER = 40
"""Neurons in the raster; more would run into each other."""

HEADINGS = (
    "Membranes of some neurons of the first layer",
    "Memristor 1 of the same neurons",
    "Spikes of the first layer (dark: full height)",
    "First crossbar, positive cells",
    "First crossbar, negative cells",
    "Learning",
)


@torch.no_grad()
def draw(
    net: Net,
    image: Tensor,  # shape: (1, 1, height, width)
    accuracies: dict[str, list[float]],
    title: str,
) -> Figure:
    """One image in the memristive ``net``, its first crossbar, and how both networks learned."""
    net.eval()
    steps = record(net, image)[0]
    neuron, layer = net.neurons[0], net.layers[0]
    spk = torch.stack([spk[0] for spk, _ in steps])
    volts = torch.stack([neuron.volts(mem)[0] for _, mem in steps])
    x1 = torch.stack([neuron.states(mem)["x1"][0] for _, mem in steps])
    shown = _spread(spk.sum(0))

    figure = Figure(figsize=(13, 7), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    halves: Any = figure.subfigures(2, 1)
    axes = [ax for row in halves for ax in row.subplots(1, 3)]
    for ax, heading in zip(axes, HEADINGS, strict=True):
        ax.set_title(heading, loc="left", fontsize="medium")
    plots.voltages(volts[:, shown], dt=neuron.dt, ax=axes[0])
    _mark_threshold(neuron.circuit.v_threshold, axes[0])
    plots.states(x1[:, shown], dt=neuron.dt, ax=axes[1])
    plots.spikes(spk[:, :IN_RASTER], ax=axes[2])
    window = (layer.rram.g_off, layer.rram.g_on)
    for half, ax in zip(layer.conductances(), axes[3:5], strict=True):
        plots.conductances(half, limits=window, ax=ax)
    plots.learning_curves(accuracies, ax=axes[5])
    figure.suptitle(title)
    return figure


def _mark_threshold(v_threshold: float, ax: Axes) -> None:
    where = v_threshold * 1e3
    ax.axhline(where, color="grey", linestyle=":", zorder=0, label="memristor 1 switches on")
    ax.legend()


def _spread(activity: Tensor) -> list[int]:
    """Neurons from the most active to the least active one that sends something."""
    order = activity.argsort(descending=True)
    active = order[: max(int((activity > 0).sum()), 1)]
    places = torch.linspace(0, len(active) - 1, min(TRACED, len(active))).round().long()
    return active[places].tolist()
