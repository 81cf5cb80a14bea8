"""A curve without a formula, as points with straight lines between them."""

from collections.abc import Callable

import torch
from torch import Tensor

ENOUGH = 1e-6
"""Error between two points, as a fraction of the largest value, at which no more are added."""

ROUNDS = 14
"""Times that intervals are halved at most."""


def sampled(
    curve: Callable[[Tensor], Tensor],  # shapes: (points,) to (points,)
    largest: float,
    argument: str,
) -> str:
    """ngspice's expression for ``curve`` of ``argument`` (an expression) within ±``largest``."""
    x = torch.linspace(-largest, largest, 33, dtype=torch.float64)
    for _ in range(ROUNDS):
        middle = (x[1:] + x[:-1]) / 2
        y = curve(x)
        error = (curve(middle) - (y[1:] + y[:-1]) / 2).abs()
        coarse = error > ENOUGH * y.abs().max()
        if not coarse.any():
            break
        x = torch.cat([x, middle[coarse]]).sort().values
    points = ",".join(
        f"{a:.10g},{b:.10g}" for a, b in zip(x.tolist(), curve(x).tolist(), strict=True)
    )
    return f"pwl({argument},{points})"
