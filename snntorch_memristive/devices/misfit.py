"""How far simulated currents are from measured ones."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from .device import Device
from .ranges import Ranges
from .response import simulate
from .sweep import Sweep

STARTS = 256
"""Places that are tried before a search, spread evenly over the ranges."""
STATES = (0.0, 0.05, 0.25, 0.6, 1.0)
"""Initial states that each of them is tried with."""
SCANNED = 1000
"""Most points of a sweep with which they are tried."""
STEP = 1e-6
"""Step of the finite differences, as a fraction of a range."""
REFUSED = 10.0
"""Error where the device is impossible or its current overflows."""


class Misfit:
    """Errors of simulated currents, in units of the range of the measured ones.

    They depend on a place in a cube, shape (values + sweeps,): where every searched value is in
    its range, and the initial state of every sweep.

    Raises:
        ValueError: if there is no sweep, or one has a current that does not vary.
    """

    def __init__(self, ranges: Ranges, sweeps: Sequence[Sweep]) -> None:
        if not sweeps:
            raise ValueError("Expected at least one sweep, but got none.")
        for number, sweep in enumerate(sweeps):
            if not sweep.span > 0:
                raise ValueError(
                    f"Expected a current that varies in sweep {number}, "
                    f"but got {float(sweep.i[0]):g} A throughout."
                )
        self.ranges, self.sweeps = ranges, sweeps
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    def errors(self, place: Tensor) -> Tensor:
        """Error of every point of every sweep, shape (points,)."""
        return self._around(place)[0]

    def slopes(self, place: Tensor) -> Tensor:
        """Their derivatives, shape (points, values + sweeps)."""
        return self._around(place)[1]

    def cost(self, place: Tensor) -> float:
        """Sum of the squares of the errors."""
        return float(self.errors(place).square().sum())

    def starts(self, count: int) -> list[Tensor]:
        """The device's own place, then the ``count`` best of many, each in its best states."""
        spread = SobolEngine(len(self.ranges.of)).draw(STARTS + 1, dtype=torch.float64)[1:].T
        values = torch.cat([self.ranges.own[:, None], spread], 1)
        device = self.ranges.at(values[:, :, None])
        x0 = torch.tensor(STATES, dtype=torch.float64).expand(STARTS + 1, -1)
        costs, states = torch.zeros(STARTS + 1, dtype=torch.float64), []
        for sweep in self.sweeps:
            some = sweep.every(math.ceil(len(sweep.t) / SCANNED))
            least, which = self._errors(some, device, x0).square().sum(0).min(1)
            costs += least
            states.append(x0[0, which])
        places = torch.cat([values, torch.stack(states)]).T
        best = [k for k in costs[1:].argsort(stable=True).add(1).tolist() if self._allow(places[k])]
        return [places[k].contiguous() for k in (0, *best[:count])]

    def _around(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Errors and slopes: of all neighbours at once, which costs hardly more than of one."""
        if self._last is None or not torch.equal(place, self._last[0]):
            steps = torch.where(place < 0.5, STEP, -STEP).to(place)
            places = torch.cat([place[:, None], place[:, None] + steps.diag()], 1)
            errors = self._all_errors(places)
            slopes = (errors[:, 1:] - errors[:, :1]) / steps
            self._last = place.clone(), errors[:, 0], slopes
        return self._last[1:]

    def _all_errors(self, places: Tensor) -> Tensor:
        """Errors at many ``places`` (values + sweeps, places), of which the first is checked."""
        if not self._allow(places[:, 0]):
            points = sum(len(sweep.t) for sweep in self.sweeps)
            return places.new_full((points, places.shape[1]), REFUSED)
        count = len(self.ranges.of)
        device = self.ranges.at(places[:count])
        each = zip(self.sweeps, places[count:], strict=True)
        return torch.cat([self._errors(sweep, device, x0) for sweep, x0 in each])

    def _errors(self, sweep: Sweep, device: Device, x0: Tensor) -> Tensor:
        """Errors of candidates in states ``x0``, (points, \\*candidates)."""
        i = simulate(device, sweep.t, sweep.v, x0, sweep.r_series).i
        measured = sweep.i.reshape(-1, *[1] * x0.dim())
        return ((i - measured) / sweep.span).nan_to_num(REFUSED, REFUSED, -REFUSED)

    def _allow(self, place: Tensor) -> bool:
        """Is the device at ``place`` possible?"""
        try:
            self.ranges.at(place[: len(self.ranges.of)])
        except ValueError:
            return False
        return True
