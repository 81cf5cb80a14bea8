"""Neurons under currents, and when they fire."""

import numpy as np
import torch


def double(values):
    return torch.as_tensor(values, dtype=torch.float64)


def held(current, steps):
    """Constant currents (currents,) for a number of steps: (steps, currents)."""
    return double(current).expand(steps, -1).contiguous()


@torch.no_grad()
def volts(neuron, current):
    """Membrane voltages (V) of ``neuron`` under currents (A), both (steps, currents)."""
    neuron = neuron.double()
    _, mem = neuron.sequence(double(current) / neuron.amperes(double(1.0)))
    return neuron.volts(mem).numpy()


def passages(v, level, dt):
    """Times (s) at which the voltage ``v`` of one neuron passes ``level`` upwards."""
    below = np.nonzero((v[:-1] < level) & (v[1:] >= level))[0]
    return dt * (below + (level - v[below]) / (v[below + 1] - v[below]))


def error(got, wanted):
    """Largest difference of each column as a share of the wanted range."""
    return np.abs(got - wanted).max(0) / np.ptp(wanted, axis=0)
