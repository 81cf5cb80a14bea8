"""How the current of a memory cell grows with the voltage, for a given conductance.

A law multiplies the cell's small-signal conductance ``g`` by a factor that depends on the voltage
alone, ``i = g v chord(v)``. A layer whose inputs are all 0 or one known height therefore needs
the law only once: its matrix of conductances times ``chord(height)``.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor

from ..checks import check_positive
from ..units import Value, Volt


@dataclass(frozen=True)
class Conduction(ABC):
    """A law of conduction: odd in the voltage, proportional to the conductance."""

    @abstractmethod
    def chord(self, v: Tensor) -> Tensor:
        """Current over voltage (1) at ``v`` (V, any shape), in units of the conductance ``g``."""

    def current(self, g: Value, v: Tensor) -> Tensor:
        """Current (A) of conductance ``g`` (S) at ``v`` (V); shapes broadcast.

        Differentiable in both, and odd in ``v``.
        """
        return g * (v * self.chord(v))


@dataclass(frozen=True)
class Ohmic(Conduction):
    """Ohm's law, ``i = g v``."""

    def chord(self, v: Tensor) -> Tensor:
        """One, in the shape of ``v``."""
        return torch.ones_like(v)


@dataclass(frozen=True)
class Sinh(Conduction):
    """Current of a tunnelling gap, ``i = g v0 sinh(v / v0)``.

    Source: X. Guan, S. Yu and H.-S. P. Wong, "A SPICE compact model of metal oxide resistive
    switching memory with variations", IEEE Electron Device Letters 33 (2012),
    doi:10.1109/LED.2012.2210856, where ``i = i0 exp(-gap / gap0) sinh(v / v0)``: their prefactor
    is our ``g v0``.

    Raises:
        ValueError: if ``v0`` is not above zero.
    """

    v0: Volt
    """Voltage at which the current is sinh(1) = 1.18 times that of Ohm's law."""

    def __post_init__(self) -> None:
        check_positive("V", v0=self.v0)

    def chord(self, v: Tensor) -> Tensor:
        """sinh(z) / z of ``z = v / v0`` (V, any shape), 1 at 0 V."""
        return sinhc(v / self.v0)


@dataclass(frozen=True)
class PooleFrenkel(Conduction):
    r"""Charge freed from traps whose barrier the field lowers, ``i = g v exp(sqrt(|v| / v_pf))``.

    The law is :math:`i = c\,v\,\exp(-\frac{q}{kT}(\phi_b - \sqrt{q v / (\pi \varepsilon d)}))` for
    a barrier :math:`\phi_b` and a film of thickness ``d`` and permittivity :math:`\varepsilon`.
    Here ``g`` holds everything that does not depend on the voltage, and what does is

    .. math::
        v_{pf} = \frac{\pi \varepsilon d}{q} \left(\frac{kT}{q}\right)^2.

    The conductance rises from 0 V as the square root of the voltage: ``g`` is its limit there, not
    the conductance at a read voltage, which is ``g chord(v_read)``.

    Source: J. Frenkel, "On pre-breakdown phenomena in insulators and electronic semi-conductors",
    Physical Review 54 (1938), doi:10.1103/PhysRev.54.647; the form above as in S. M. Sze and
    K. K. Ng, "Physics of Semiconductor Devices".

    Raises:
        ValueError: if ``v_pf`` is not above zero.
    """

    v_pf: Volt
    """Voltage at which the current is e = 2.72 times that of Ohm's law."""

    def __post_init__(self) -> None:
        check_positive("V", v_pf=self.v_pf)

    def chord(self, v: Tensor) -> Tensor:
        """exp(sqrt(\\|v\\| / v_pf)), 1 at 0 V; its slope there, truly infinite, is given as 0."""
        size = v.abs() / self.v_pf
        driven = size > 0
        return torch.where(driven, torch.where(driven, size, 1.0).sqrt(), 0.0).exp()


@dataclass(frozen=True)
class Table(Conduction):
    """A measured curve of a cell, ``i(v) / g``, through its points and odd.

    Between the points it is a cubic that never turns back: F. N. Fritsch and J. Butland, "A
    method for constructing local monotone piecewise cubic interpolants", SIAM Journal on
    Scientific and Statistical Computing 5 (1984), doi:10.1137/0905021, with the last slope that
    of the last chord. It goes through 0 A at 0 V, and on as a straight line beyond the last point.

    Raises:
        ValueError: if there is no point, ``v`` and ``i`` differ in length, or the points do not
            rise from above zero in both.
    """

    v: tuple[Annotated[float, "V"], ...]
    """Voltages of the points, rising from above zero."""
    i: tuple[Annotated[float, "V"], ...]
    """Current over the conductance at every point (A/S)."""
    _pieces: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.v) != len(self.i) or not self.v:
            raise ValueError(
                f"Expected `v` and `i` of the same length, at least 1, "
                f"but got {len(self.v)} and {len(self.i)}."
            )
        for name, values in (("v", self.v), ("i", self.i)):
            if not all(low < high for low, high in pairwise((0.0, *values, math.inf))):
                raise ValueError(
                    f"Expected `{name}` to rise from above zero and be finite, but got {values}."
                )
        # Here and not at the first use, which torch.compile may be tracing.
        object.__setattr__(self, "_pieces", _cubics((0.0, *self.v), (0.0, *self.i)))

    def chord(self, v: Tensor) -> Tensor:
        """The interpolated curve over ``v``; at 0 V its slope, that of the first chord."""
        knots, values, *cubic = self._pieces.to(v)
        size = v.abs()
        piece = torch.bucketize(size.detach(), knots[1:])
        slope, bend, twist = (coefficient[piece] for coefficient in cubic)
        step = size - knots[piece]
        rise = slope + step * (bend + step * twist)
        # The first piece starts at the origin: there the division is done by hand.
        first = piece == 0
        beyond = (values[piece] + step * rise) / size.masked_fill(first, 1.0)
        return torch.where(first, rise, beyond)


def _cubics(knots: tuple[float, ...], values: tuple[float, ...]) -> Tensor:
    """Knots, values, slopes and the two higher coefficients, shape (5, knots)."""
    v, i = (torch.tensor(x, dtype=torch.float64) for x in (knots, values))
    width = v.diff()
    secant = i.diff() / width
    # Weighted harmonic mean of the neighbouring secants; the curve's mirror image gives the
    # origin the first secant on both sides.
    left, right = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    inner = (left + right) / (left / secant[:-1] + right / secant[1:])
    slope = torch.cat([secant[:1], inner, secant[-1:]])
    bend = (3 * secant - 2 * slope[:-1] - slope[1:]) / width
    twist = (slope[:-1] + slope[1:] - 2 * secant) / width**2
    line = secant.new_zeros(1)
    return torch.stack([v, i, slope, torch.cat([bend, line]), torch.cat([twist, line])])


def sinhc(z: Tensor) -> Tensor:
    """sinh(z) / z (any shape), with slopes that stay exact where the quotient's terms cancel."""
    near = z.abs() < 0.5
    far = torch.where(near, 1.0, z)
    square = torch.where(near, z, 0.0).square()
    series: Value = 1.0
    for factor in (156, 110, 72, 42, 20, 6):  # (2k)(2k + 1): z^14 / 15! is below rounding
        series = 1 + square / factor * series
    return torch.where(near, series, far.sinh() / far)
