"""Measured sweeps of Knowm W+SDC memristors, as :mod:`fits` takes them.

Source: Knowm Memristor Discovery from Knowm Inc, which asks to be named so; taken in Santa Fe on 15
July 2020. A source, a resistor and a memristor are in series, with a probe on either side of the
resistor. Two tables of a run hold the voltage of the memristor and that of both, each beside the
current.

What no text states and the numbers show (``facts`` checks it):

- The current is the difference of the two voltages over the resistor as named, in µA, to the
  last digit: computed, so that the two tables are one measurement.
- A run is one period of the sine in 200 points, so that a point lasts 1 / (200 f).
- At 0 V there is a current. It is what an offset between the probes and a capacitance beside the
  memristor would drive; both are fitted to all zeros of all runs, and taken off.
- Two runs of different memristors are the same numbers: one of them is not what it says.
"""

import math
import pathlib
import re
from typing import NamedTuple

import torch
from torch import Tensor

from snntorch_memristive.devices.sweep import Sweep, read_sweep

FOLDER = pathlib.Path("memristor-knowm-wsdc", "data")
NAME = re.compile(r"(\d+)k.+_(\.\d+)V_(\d+)Hz_(M\d)")
POINTS = 200


class Run(NamedTuple):
    """One run as it was read: ``across`` is what the memristor saw, ``circuit`` what both saw."""

    name: str
    memristor: str
    hertz: float
    amplitude: float
    ohm: float
    across: Sweep
    circuit: Sweep

    def rises(self) -> Tensor:
        """dv/dt (V/s) of the memristor at every point of the period."""
        v = self.across.v
        return (v.roll(-1) - v.roll(1)) * (POINTS * self.hertz / 2)

    def without(self, offset: float, farad: float) -> "Run":
        """The run as it were without an offset of the probes and a capacitance."""
        stray = offset / self.ohm + farad * self.rises()
        t, i = self.across.t, self.across.i - stray
        across = Sweep(t, self.across.v, i)
        return self._replace(across=across, circuit=Sweep(t, across.v + self.ohm * i, i, self.ohm))


def read(root: pathlib.Path) -> list[Run]:
    """All runs, by memristor, resistor, amplitude and frequency."""
    folders = sorted((root / FOLDER).glob("*/*"))
    if not folders:
        raise SystemExit(f"No {root / FOLDER}: give --data-root the folder that holds it.")
    runs = [_run(folder) for folder in folders]
    return sorted(runs, key=lambda run: (run.memristor, run.ohm, run.amplitude, run.hertz))


def _run(folder: pathlib.Path) -> Run:
    kilo_ohm, amplitude, hertz, memristor = NAME.fullmatch(folder.name).groups()
    ohm, dt = 1e3 * float(kilo_ohm), 1 / (POINTS * float(hertz))
    across = read_sweep(folder / "Memristor.csv", dt=dt, ampere=1e-6)
    circuit = read_sweep(folder / "Resistor+Memristor.csv", dt=dt, ampere=1e-6, r_series=ohm)
    return Run(folder.name, memristor, float(hertz), float(amplitude), ohm, across, circuit)


def strays(runs: list[Run]) -> tuple[float, float, float]:
    """Offset of the probes (V), capacitance (F), and what share of the currents at 0 V they are."""
    columns, currents = [], []
    for run in runs:
        v, i, rises = run.across.v, run.across.i, run.rises()
        for k in ((v[:-1] * v[1:] <= 0) & (v[:-1] != v[1:])).nonzero()[:, 0].tolist():
            share = float(v[k] / (v[k] - v[k + 1]))
            currents.append(float(i[k] + share * (i[k + 1] - i[k])))
            columns.append((1 / run.ohm, float(rises[k] + share * (rises[k + 1] - rises[k]))))
    a, b = (torch.tensor(x, dtype=torch.float64) for x in (columns, currents))
    # Columns of size 1, or the capacitance drowns in rounding.
    size = a.abs().amax(0)
    solution = torch.linalg.lstsq(a / size, b[:, None]).solution[:, 0] / size
    left = b - a @ solution
    explained = 1 - float(left.square().sum() / b.square().sum())
    return float(solution[0]), float(solution[1]), explained


def roughness(sweep: Sweep) -> float:
    """Noise from point to point over the range of the current, from second differences."""
    bend = float(sweep.i.diff(n=2).abs().median()) / 0.6745 / math.sqrt(6)
    return bend / float(sweep.i.max() - sweep.i.min())


def facts(runs: list[Run]) -> list[str]:
    """What the numbers show, in sentences."""
    drops = [(r.circuit.v - r.across.v) / r.ohm - r.across.i for r in runs]
    worst = max(
        float(d.abs().max() / r.across.i.abs().max()) for d, r in zip(drops, runs, strict=True)
    )
    same = [
        f"{a.name} and {b.name}"
        for k, a in enumerate(runs)
        for b in runs[k + 1 :]
        if torch.equal(a.across.i, b.across.i)
    ]
    offset, farad, explained = strays(runs)
    noise = torch.tensor([roughness(run.across) for run in runs])
    return [
        f"{len(runs)} runs, {2 * len(runs)} tables; the current is the voltages' difference over "
        f"the resistor to {worst:.0e} of its peak.",
        f"At 0 V an offset of {1e3 * offset:.2f} mV and {1e12 * farad:.0f} pF are "
        f"{100 * explained:.0f} % of the currents' squares; both are taken off.",
        f"The same numbers: {'; '.join(same) or 'none'}.",
        f"Noise from point to point: median {100 * noise.median():.2f} % of the range.",
    ]
