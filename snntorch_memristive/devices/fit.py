"""A law of conduction from measured curves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import NamedTuple

import torch
from torch import Tensor

from ..units import Value
from .conduction import Conduction

SEARCHED = (1e-3, 1e4)
"""Range of a law's voltage that is searched, in units of the highest measured voltage."""


class ConductionFit(NamedTuple):
    """A law that many sweeps share, and how well it describes them."""

    law: Conduction
    """The law with the voltage that fits best."""
    g: tuple[float, ...]
    """Small-signal conductance (S) of every sweep."""
    r_squared: float
    """Share of the variance of ln(i / v) within the sweeps that the law explains.

    0 for Ohm's law, which explains none of it, and 1 for a law through every point. It can be
    compared between laws: a share of the variance of ``i`` would be near 1 for all of them.
    """
    median_error: float
    """Median over all points of the current's relative error."""


def fit_conduction(law: type[Conduction], sweeps: Sequence[tuple[Tensor, Tensor]]) -> ConductionFit:
    """Fit ``law`` to measured ``sweeps``, each with a conductance of its own.

    Least squares of the logarithm of the current, so that states many decades apart count alike.
    The conductances then follow in closed form, and the law's one voltage is searched on grids
    that close in on it: there is no start to choose. Sweeps that Ohm's law describes best
    get the upper bound of ``SEARCHED``, where the laws are ohmic.

    >>> from snntorch_memristive.devices.conduction import Sinh
    >>> v = torch.linspace(0.1, 1.0, 10)
    >>> fit = fit_conduction(Sinh, [(v, Sinh(0.25).current(torch.tensor(2e-3), v))])
    >>> fit.law, f"{fit.g[0]:.5f}"
    (Sinh(v0=0.25), '0.00200')

    Args:
        law: a law with one voltage as its parameter (``Sinh``, ``PooleFrenkel``), or none.
        sweeps: pairs of voltages (V) and currents (A), both above zero, of shape (points,).

    Raises:
        ValueError: if there is no sweep, or one has fewer than two points, shapes that differ or
            are not (points,), or a value that is not finite and above zero.
    """
    if not sweeps:
        raise ValueError("Expected at least one sweep, but got none.")
    curves = [_curve(v, i, number) for number, (v, i) in enumerate(sweeps)]
    best = _search(law, curves) if fields(law) else law()
    residuals = [ln_g - best.chord(v).log() for v, ln_g in curves]
    ohmic = sum(float((ln_g - ln_g.mean()).square().sum()) for _, ln_g in curves)
    left = sum(float((r - r.mean()).square().sum()) for r in residuals)
    errors = torch.cat([(r.mean() - r).expm1().abs() for r in residuals])
    return ConductionFit(
        law=best,
        g=tuple(float(r.mean().exp()) for r in residuals),
        r_squared=1 - left / ohmic if ohmic else 0.0,
        median_error=float(errors.median()),
    )


def _curve(v: Tensor, i: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Voltages and the logarithm of the conductance there, both float64 of shape (points,)."""
    v, i = (torch.as_tensor(x, dtype=torch.float64) for x in (v, i))
    if v.ndim != 1 or v.shape != i.shape or len(v) < 2:
        raise ValueError(
            f"Expected voltages and currents of shape (points,) with at least 2 points in sweep "
            f"{number}, but got {tuple(v.shape)} and {tuple(i.shape)}."
        )
    for name, x in (("voltages", v), ("currents", i)):
        if not (x.isfinite() & (x > 0)).all():
            raise ValueError(
                f"Expected finite {name} above zero in sweep {number}, but got {float(x.min()):g}."
            )
    return v, (i / v).log()


def _search(law: Callable[[Value], Conduction], curves: list[tuple[Tensor, Tensor]]) -> Conduction:
    """The law with the voltage that leaves the smallest squares, to six digits."""
    highest = max(float(v.max()) for v, _ in curves)
    low, high = (math.log10(bound * highest) for bound in SEARCHED)
    for _ in range(4):  # each grid of 201 is a hundred times finer than the one before
        exponents = torch.linspace(low, high, 201, dtype=torch.float64)
        trial = law(10 ** exponents[:, None])
        left = torch.zeros_like(exponents)
        for v, ln_g in curves:
            residual = ln_g - trial.chord(v).log()
            left += (residual - residual.mean(1, keepdim=True)).square().sum(1)
        best = int(left.nan_to_num(nan=math.inf).argmin())  # a current that overflowed
        low, high = float(exponents[max(best - 1, 0)]), float(exponents[min(best + 1, 200)])
    return law(float(f"{10 ** exponents[best]:.6g}"))
