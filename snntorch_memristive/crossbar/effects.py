"""From a weight to the conductances of its cells, one effect at a time.

Every function is pure and takes conductances ``g`` in S. A weight is a differential pair: the
first dimension of ``g`` is (positive cell, negative cell), the rest is the shape of the weight.
Steps that have no derivative (levels, programming) pass the gradient straight through; all
others have their exact one.
"""

import math

import torch
from torch import Tensor

from ..devices import RRAM

BOLTZMANN = 8.617333e-5
"""Boltzmann's constant (eV/K)."""

ROOM = 300.0
"""Temperature (K) at which a device's drift is stated."""


def to_pair(
    weight: Tensor,  # shape: (*cells)
    rram: RRAM,
    w_max: Tensor,  # shape: ()
) -> Tensor:  # shape: (2, *cells), S
    """Conductances of the pairs, with one cell of each at ``g_off`` and ``w_max`` the window."""
    # Halves of |w| +- w and no clamp: its derivative at a weight of exactly 0 would not be 1.
    size = weight.abs()
    twice = torch.stack([size + weight, size - weight])
    return rram.g_off + twice * ((rram.g_on - rram.g_off) / (2 * w_max))


def from_pair(
    g: Tensor,  # shape: (2, *cells), S
    rram: RRAM,
    w_max: Tensor,  # shape: ()
) -> Tensor:  # shape: (*cells)
    """Weights that the pairs stand for: the inverse of :func:`to_pair`."""
    return (g[0] - g[1]) * (w_max / (rram.g_on - rram.g_off))


def quantise(g: Tensor, rram: RRAM) -> Tensor:
    """``g`` (S) at the nearest of the device's levels; gradient straight through."""
    if rram.levels is None:
        return g
    level = (rram.g_on - rram.g_off) / (rram.levels - 1)
    nearest = ((g - rram.g_off) / level).round() * level + rram.g_off
    return _straight_through(nearest, g)


def misprogram(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) off by a normal error (``draw`` of unit variance), held inside the window."""
    if draw is None:
        return g
    window = rram.g_on - rram.g_off
    width = rram.programming_width((g.detach() - rram.g_off) / window)
    written = (g + draw * (width * window)).clamp(rram.g_off, rram.g_on)
    return _straight_through(written, g)


def spread(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) times each device's own lognormal factor (``draw`` of unit variance)."""
    return g if draw is None else g * (draw * rram.spread).exp()


def drift(g: Tensor, rram: RRAM, draw: Tensor | None, seconds: Tensor | float) -> Tensor:
    """``g`` (S) as it is ``seconds`` after programming: (t / t_0)^-nu of it.

    nu is each device's own (``draw`` of unit variance). Up to t_0 nothing moves. The power law of
    D. Ielmini et al., IEEE Trans. Electron Devices 54 (2007), doi:10.1109/TED.2006.888752.
    """
    if draw is None:
        return g
    nu = (rram.drift + rram.drift_spread * draw).clamp(min=0.0)
    decades = torch.as_tensor(seconds, dtype=torch.float64) / rram.drift_start
    return g * (-nu * decades.clamp(min=1.0).log().to(nu)).exp()


def acceleration(rram: RRAM, kelvin: float) -> float:
    """How many times faster than at 300 K time passes at the temperature ``kelvin`` (Arrhenius)."""
    return math.exp(rram.drift_energy / BOLTZMANN * (1 / ROOM - 1 / kelvin))


def stick(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) with the stuck cells at their end of the window (``draw`` uniform in [0, 1))."""
    if draw is None:
        return g
    g = torch.where(draw < rram.stuck_on, rram.g_on, g)
    stuck_off = (draw >= rram.stuck_on) & (draw < rram.stuck_on + rram.stuck_off)
    return torch.where(stuck_off, rram.g_off, g)


def fail(g: Tensor, rram: RRAM, faults: Tensor | None) -> Tensor:
    """``g`` (S) with cells that failed in service: 1 is stuck on, -1 stuck off, 0 works."""
    if faults is None:
        return g
    g = torch.where(faults > 0, rram.g_on, g)
    return torch.where(faults < 0, rram.g_off, g)


def read_variance(g: Tensor, rram: RRAM) -> Tensor:
    """Variance (S^2) of the difference of each pair in ``g`` (S, pair first) from read to read."""
    white = 2 * (rram.read_noise * (rram.g_on - rram.g_off)) ** 2
    return white + rram.flicker**2 * (g**2).sum(0)


def _straight_through(value: Tensor, g: Tensor) -> Tensor:
    """Exactly ``value``, with the gradient of ``g``."""
    return value.detach() + (g - g.detach()) if g.requires_grad else value
