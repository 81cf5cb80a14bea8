"""From a weight to the conductances of its cells, one effect at a time.

Every function is pure and takes conductances ``g`` in S. A weight is a differential pair: the
first dimension of ``g`` is (positive cell, negative cell), the rest is the shape of the weight.
Steps that have no derivative (levels, programming) pass the gradient straight through; all
others have their exact one.
"""

import torch
from torch import Tensor

from ..devices import RRAM


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
    error = draw * (rram.programming_error * (rram.g_on - rram.g_off))
    written = (g + error).clamp(rram.g_off, rram.g_on)
    return _straight_through(written, g)


def spread(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) times each device's own lognormal factor (``draw`` of unit variance)."""
    return g if draw is None else g * (draw * rram.spread).exp()


def stick(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) with the stuck cells at their end of the window (``draw`` uniform in [0, 1))."""
    if draw is None:
        return g
    g = torch.where(draw < rram.stuck_on, rram.g_on, g)
    stuck_off = (draw >= rram.stuck_on) & (draw < rram.stuck_on + rram.stuck_off)
    return torch.where(stuck_off, rram.g_off, g)


def read_noise(
    power: Tensor,  # shape: (*outputs)
    rram: RRAM,
    w_max: Tensor,  # shape: ()
) -> Tensor:  # shape: (*outputs)
    """One read's noise on the outputs of a layer, in units of its output.

    ``power`` is the sum of the squared inputs of the cells that feed each output. Independent
    normal noise on every cell adds up to normal noise of exactly this variance on the output;
    drawing it there costs no copy of the array. No gradient passes through its size.
    """
    sigma = rram.read_noise * w_max * (2 * power.detach()).sqrt()
    return torch.randn_like(sigma) * sigma


def _straight_through(value: Tensor, g: Tensor) -> Tensor:
    """Exactly ``value``, with the gradient of ``g``."""
    return value.detach() + (g - g.detach()) if g.requires_grad else value
