"""Sources that hold a value for a time step."""

from collections.abc import Sequence
from itertools import pairwise

EDGE = 1e-4
"""Duration of an edge, and of the opening of a sample-and-hold, as a fraction of a time step."""


def held(values: Sequence[float], dt: float, start: int = 0) -> str:
    """``values`` one after the other, for ``dt`` seconds each, from step ``start`` on; 0 before."""
    steps = [(k + start, value) for k, value in enumerate(values)]
    if start:
        steps = [(0, 0.0), *steps]
    changes = [s for k, s in enumerate(steps) if k == 0 or s[1] != steps[k - 1][1]]
    if len(changes) == 1:
        return f"{changes[0][1]:.10g}"
    points = [f"0 {changes[0][1]:.10g}"]
    for (_, before), (step, value) in pairwise(changes):
        points += [f"{step * dt:.10g} {before:.10g}", f"{(step + EDGE) * dt:.10g} {value:.10g}"]
    return f"PWL({' '.join(points)})"


def released(at: float, dt: float) -> str:
    """1 V up to ``at`` (s), and 0 from then on."""
    return f"PWL(0 1 {at:.12g} 1 {at + EDGE * dt:.12g} 0)"
