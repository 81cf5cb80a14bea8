"""What becomes of the conductances that were asked for, one effect at a time.

Every function is pure, and takes and returns conductances ``g`` in S, cell by cell. Steps that
have no derivative (levels, programming) pass the gradient straight through; all others have their
exact one. Crossbars compile them: what they do to a tensor is done to single numbers then.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..devices import RRAM
from ..tracing import has_tangents

BOLTZMANN = 8.617333e-5
"""Boltzmann's constant (eV/K)."""

ROOM = 300.0
"""Temperature (K) at which a device's drift is stated."""


def quantise(g: Tensor, rram: RRAM) -> Tensor:
    """``g`` (S) at the nearest of the device's levels; gradient straight through."""
    if rram.levels is None:
        return g
    level = (rram.g_on - rram.g_off) / (rram.levels - 1)
    nearest = ((g.detach() - rram.g_off) / level).round() * level + rram.g_off
    return straight_through(nearest, g)


def misprogram(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) off by a normal error (``draw`` of unit variance), held inside the window."""
    if draw is None:
        return g
    window = rram.g_on - rram.g_off
    width = rram.programming_width((g.detach() - rram.g_off) / window) * window
    written = (g.detach() + draw * width).clamp(rram.g_off, rram.g_on)
    return straight_through(written, g)


def spread(g: Tensor, rram: RRAM, draw: Tensor | None) -> Tensor:
    """``g`` (S) times each device's own factor (``draw`` of unit variance)."""
    if draw is None:
        return g
    if rram.spread_law == "normal":
        return g * (1 + draw * rram.spread).clamp(min=0.0)
    return g * (draw * rram.spread).exp()


def drift(g: Tensor, rram: RRAM, draw: Tensor | None, seconds: Tensor | float) -> Tensor:
    """``g`` (S) as it is ``seconds`` after programming: (t / t_0)^-nu of it.

    nu is each device's own (``draw`` of unit variance). Up to t_0 nothing moves. The power law of
    D. Ielmini et al., IEEE Trans. Electron Devices 54 (2007), doi:10.1109/TED.2006.888752.
    """
    if draw is None:
        return g
    return decay(g, rram, draw, folds(rram, seconds).to(g))


def folds(rram: RRAM, seconds: Tensor | float) -> Tensor:
    """How many times, as a logarithm, t_0 has passed: ln(t / t_0), 0 up to t_0; float64."""
    elapsed = torch.as_tensor(seconds, dtype=torch.float64) / rram.drift_start
    return elapsed.clamp(min=1.0).log()


def decay(g: Tensor, rram: RRAM, draw: Tensor, folds: Tensor | float) -> Tensor:
    """``g`` (S) after so many :func:`folds`; ``draw`` as for :func:`drift`."""
    nu = (rram.drift + rram.drift_spread * draw).clamp(min=0.0)
    return g * (-nu * folds).exp()


def acceleration(rram: RRAM, kelvin: float) -> float:
    """How many times faster than at 300 K time passes at the temperature ``kelvin`` (Arrhenius)."""
    return math.exp(rram.drift_energy / BOLTZMANN * (1 / ROOM - 1 / kelvin))


def programmed(
    asked: Tensor,
    rram: RRAM,
    draws: Mapping[str, Tensor],
    folds: Tensor | float,
    writes: Tensor | int,
) -> Tensor:
    """Conductances (S) of cells ``asked`` for ``asked``: all that is drawn for a chip.

    Args:
        draws: one number per cell by the name of its effect, for those that are on.
        folds: how long ago the cells were written, see :func:`folds`.
        writes: how often they have been.
    """
    g = misprogram(asked, rram, draws.get("programming"))
    g = spread(g, rram, draws.get("spread"))
    if "drift" in draws:
        g = decay(g, rram, draws["drift"], folds)
    g = wear(g, rram, draws.get("endurance"), writes)
    return stick(g, rram, draws.get("stuck"))


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


def wear(g: Tensor, rram: RRAM, draw: Tensor | None, writes: Tensor | int) -> Tensor:
    """``g`` (S) with the cells stuck on whose endurance is below ``writes``.

    The endurance is each device's own, lognormal (``draw`` of unit variance).
    """
    if draw is None or rram.endurance is None:
        return g
    life = rram.endurance * (draw * rram.endurance_spread).exp()
    return torch.where(life < writes, rram.g_on, g)


def read_variance(g: Tensor, rram: RRAM) -> Tensor:
    """Variance (S^2) of every conductance in ``g`` (S) from read to read."""
    return white_variance(rram) + (rram.flicker * g) ** 2


def white_variance(rram: RRAM) -> float:
    """The part of it (S^2) that is the same whatever the conductance."""
    return (rram.read_noise * (rram.g_on - rram.g_off)) ** 2


def straight_through(value: Tensor, g: Tensor) -> Tensor:
    """Exactly ``value``, with the gradient of ``g``."""
    return value.detach() + (g - g.detach()) if g.requires_grad or has_tangents() else value
