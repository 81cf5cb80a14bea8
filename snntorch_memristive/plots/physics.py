"""Plots of devices and circuits by themselves."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from ..checks import check_choice
from ..circuits import Circuit
from ..relaxation import State
from .drawing import given_or_new, to_numpy

GRID = 100
"""Points along an axis at which a flow is worked out."""


def hysteresis(
    v: Tensor,  # shape: (time,) or (time, devices), V
    i: Tensor,  # shape: as v, A
    *,
    ax: Axes | None = None,
) -> Axes:
    """Current over voltage of a device that was swept, a loop per device."""
    ax = given_or_new(ax)
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.axvline(0, color="0.8", lw=0.8, zorder=0)
    ax.plot(to_numpy(v), to_numpy(i * 1e6), lw=1.2)
    ax.set_xlabel("Voltage (V)")
    ax.set_ylabel("Current (µA)")
    return ax


def phase_portrait(
    circuit: Circuit,
    i_in: float,  # A
    v: tuple[float, float],  # V
    x: tuple[float, float],  # in the unit of the state
    *,
    state: str | None = None,
    trajectory: State | None = None,  # shapes: (time,)
    ax: Axes | None = None,
) -> Axes:
    """Flow of ``circuit`` under a constant current in the plane of ``v`` and one more ``state``.

    With the nullclines, on which one of the two stands still, and their crossing, the fixed point.
    A filtered input has settled, and all other states are at rest.

    Args:
        circuit: the circuit.
        i_in: the current.
        v, x: from where to where the flow is drawn.
        state: name of the state on the vertical axis; the first memristor's if left out.
        trajectory: states over time, as ``integrate`` returns them, to draw into it.

    Raises:
        ValueError: if the circuit has no such ``state``.
    """
    others = tuple(name for name in circuit.states if circuit.state_units[name] == "1")
    state = others[0] if state is None else state
    check_choice("state", state, others)
    ax = given_or_new(ax)
    axes = [torch.linspace(*ends, GRID, dtype=torch.float64) for ends in (v, x)]
    plane = dict(zip(("v", state), torch.meshgrid(*axes, indexing="xy"), strict=True))
    current = torch.full_like(plane["v"], i_in)
    still = {name: float(value) for name, value in circuit.rest().items()}
    rest = {name: torch.full_like(plane["v"], value) for name, value in still.items()}
    rest = _filtered(circuit, rest, current)
    rate = circuit.rate(rest | plane, current)
    columns = to_numpy(axes[0] * 1e3), to_numpy(axes[1])
    ax.streamplot(
        *columns, to_numpy(rate["v"] * 1e3), to_numpy(rate[state]), color="0.75", linewidth=0.7
    )
    for name, colour in (("v", "C0"), (state, "C1")):
        ax.contour(*columns, to_numpy(rate[name]), levels=[0.0], colors=colour)
        ax.plot([], [], color=colour, label=f"d{name}/dt = 0")
    if trajectory is not None:
        path = to_numpy(trajectory["v"] * 1e3), to_numpy(trajectory[state])
        ax.plot(*path, color="C3", lw=1.2, label="trajectory")
    ax.set_xlabel("Membrane voltage (mV)")
    ax.set_ylabel(f"State {state}")
    ax.legend(fontsize=8)
    return ax


def _filtered(circuit: Circuit, state: State, i_in: Tensor) -> State:
    """``state`` with the currents among the states, stage by stage, where ``i_in`` takes them."""
    for _ in circuit.states:
        for equation in circuit.equations():
            for name, relaxation in equation(state, i_in).items():
                if circuit.state_units[name] == "A":
                    state = state | {name: torch.as_tensor(relaxation.target)}
    return state


def frequency_current(
    i_in: Tensor,  # shape: (points,), A
    frequency: Tensor,  # shape: (points,), Hz
    *,
    ax: Axes | None = None,
) -> Axes:
    """How often a neuron fires over the constant current into it."""
    ax = given_or_new(ax)
    ax.plot(to_numpy(i_in * 1e6), to_numpy(frequency * 1e-3), marker="o", markersize=3)
    ax.set_xlabel("Input current (µA)")
    ax.set_ylabel("Frequency (kHz)")
    return ax
