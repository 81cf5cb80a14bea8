"""How well device models describe measured sweeps: Knowm W+SDC memristors, and SiOx cells.

Run ``python benchmarks/fits.py --data-root FOLDER`` (or set SNNTORCH_MEMRISTIVE_DATA), where FOLDER
holds memristor-knowm-wsdc/ and memristor-siox-multistate/. It takes some ten minutes; ``--joint``
as long again.

Every run of a memristor is fitted twice. "Imposed": the model sees the voltage that the memristor
had, the table Memristor.csv. "Circuit": the model is in series with the resistor and sees the
source, the table Resistor+Memristor.csv. The second is what a simulation has to get right, and
the fairer question: a memristor that turns on holds its own voltage down, and a model that sees
this voltage imposed must cross its threshold to the millivolt. But a resistor flatters: where
the memristor conducts well, the current is the resistor's. "Ohm" is therefore what the best
constant conductance explains, of the same table.

``R2`` is the share of the variance of the current that is explained, the error its root mean
square over the range of the current. In the table of parameters a value in brackets is at a bound
of its range, or less than its standard error from nothing.

What the pictures show where the model falls short: measured memristors turn on by a snap, their
voltage falls back once a filament grows, and sometimes in steps; switches that know nothing of
each other turn on at one voltage. Off, a barrier bends the current; the model's is straight.
In SiOx single traps jump during a sweep of a high resistance, and where none does the conductance
rises evenly with the voltage: faster at first than a sinh, more slowly than Poole and Frenkel's.
"""

import argparse
import json
import math
import os
import pathlib
from dataclasses import asdict
from typing import NamedTuple

import knowm
import siox
import torch
from knowm import Run
from matplotlib import pyplot
from matplotlib.axes import Axes

from snntorch_memristive.devices.fit import fit_conduction
from snntorch_memristive.devices.fit_device import DeviceFit, fit_device
from snntorch_memristive.devices.mss import MSS
from snntorch_memristive.devices.response import Response, simulate
from snntorch_memristive.devices.sweep import Sweep

START = MSS(r_on=2e3, r_off=100e3, v_on=0.3, v_off=-0.2, v_t=0.04, tau=1e-4)
FREE = {
    "r_on": (100.0, 100e3),
    "r_off": (2e3, 10e6),
    "v_on": (0.02, 1.5),
    "v_off": (-2.0, -0.005),
    "v_t": (0.005, 0.3),
    "tau": (1e-8, 1e2),
}
POOR = 0.995  # of R2; below it a sentence says where the model falls short
WINDOWS = ("imposed", "circuit")
QUARTERS = ("turning on", "conducting", "turning off", "blocking")


class Fitted(NamedTuple):
    """A run with its sweep and its fit in both windows."""

    run: Run
    sweeps: dict[str, Sweep]
    fits: dict[str, DeviceFit]

    def response(self, window: str) -> Response:
        sweep, fit = self.sweeps[window], self.fits[window]
        return simulate(fit.device, sweep.t, sweep.v, fit.x0[0], sweep.r_series)

    def error(self, window: str) -> float:
        return self.fits[window].error[0]

    def r_squared(self, window: str) -> float:
        return self.fits[window].r_squared[0]


def fitted(run: Run) -> Fitted:
    sweeps = {"imposed": run.across, "circuit": run.circuit}
    return Fitted(run, sweeps, {name: fit_device(START, [s], FREE) for name, s in sweeps.items()})


def ohm(sweep: Sweep) -> float:
    """R2 of the best constant conductance."""
    g = (sweep.v @ sweep.i) / (sweep.v @ sweep.v)
    return float(1 - (sweep.i - g * sweep.v).square().mean() / sweep.i.var(correction=0))


# What is printed


def values(fit: DeviceFit) -> str:
    """Fitted values to three digits; in brackets if the sweeps do not tell them or at a bound."""

    def told(name: str) -> str:
        value = f"{getattr(fit.device, name):.3g}"
        known = fit.standard_error[name] < abs(getattr(fit.device, name))
        return value if known and name not in fit.at_bound else f"({value})"

    return " | ".join(told(name) for name in FREE)


def labels(run: Run) -> str:
    return f"| {run.memristor} | {run.hertz:g} | {run.ohm / 1e3:g} | {run.amplitude:g} "


def print_fits(fits: list[Fitted]) -> None:
    heads = " | ".join(f"{window} R2 | error % | Ohm" for window in WINDOWS)
    print(f"\n| memristor | Hz | kohm | V | {heads} |\n| --- |" + " --- |" * 9)
    for fit in fits:
        cells = [
            f"{fit.r_squared(w):.4f} | {100 * fit.error(w):.2f} | {ohm(fit.sweeps[w]):.3f}"
            for w in WINDOWS
        ]
        print(f"{labels(fit.run)}| {' | '.join(cells)} |")
    for window in WINDOWS:
        errors = torch.tensor([100 * fit.error(window) for fit in fits])
        shares = torch.tensor([fit.r_squared(window) for fit in fits])
        print(
            f"{window}: error {errors.min():.2f} to {errors.max():.2f} %, median "
            f"{errors.median():.2f} %; R2 {shares.min():.4f} to {shares.max():.4f}, "
            f"median {shares.median():.4f}"
        )


def print_parameters(fits: list[Fitted]) -> None:
    print(f"\n| memristor | Hz | kohm | V | {' | '.join(FREE)} |\n| --- |" + " --- |" * 9)
    for fit in fits:
        print(f"{labels(fit.run)}| {values(fit.fits['circuit'])} |")


def phases(run: Run) -> dict[str, torch.Tensor]:
    """Points of the source's four quarter periods, in their order; the run may begin anywhere."""
    v = run.circuit.v
    shift = float(torch.fft.rfft(v)[1].angle()) / (2 * math.pi) + 0.25
    turn = (torch.arange(len(v)) / len(v) + shift) % 1
    order = turn.argsort()
    quarter = (4 * turn[order]).long()
    return {name: order[quarter == k] for k, name in enumerate(QUARTERS)}


def snap_back(v: torch.Tensor, i: torch.Tensor) -> str:
    """How far the voltage falls back below what it had reached."""
    return f"{1e3 * float((v.cummax(0).values - v).max()):.0f} mV"


def jump(v: torch.Tensor, i: torch.Tensor) -> str:
    """Largest change of the current from point to point, over its range in the quarter."""
    return f"{100 * float(i.diff().abs().max() / (i.max() - i.min())):.0f} %"


def bend(v: torch.Tensor, i: torch.Tensor) -> str:
    """Conductance at the highest voltage over that at half of it."""
    top = int(v.abs().argmax())
    half = int((v - v[top] / 2).abs().argmin())
    return f"{float(i[top] / v[top] / (i[half] / v[half])):.2f}"


SIGNS = {
    "turning on": {"voltage falls back by": snap_back, "current jumps by": jump},
    "conducting": {"conductance from half to full voltage times": bend},
    "turning off": {
        "current jumps by": jump,
        "conductance from half to full voltage times": bend,
    },
    "blocking": {"conductance from half to full voltage times": bend},
}
"""What tells, in each quarter, of physics that the model does not have."""


def shortcoming(fit: Fitted, window: str) -> str:
    """Where most squares of the error lie, and what the measured current does there."""
    response, sweep = fit.response(window), fit.sweeps[window]
    squares = (response.i - sweep.i).square()
    parts = phases(fit.run)
    name = max(parts, key=lambda name: float(squares[parts[name]].sum()))
    part = parts[name]
    share = 100 * float(squares[part].sum() / squares.sum())
    signs = []
    for text, sign in SIGNS[name].items():
        measured = sign(fit.run.across.v[part], sweep.i[part])
        of_fit = sign(response.v[part], response.i[part])
        imposed = window == "imposed" and sign is snap_back
        signs.append(f"{text} {measured} ({'imposed' if imposed else f'fit {of_fit}'})")
    return (
        f"{fit.run.name}, {window} (R2 {fit.r_squared(window):.4f}): {share:.0f} % of the squares "
        f"in {name}; {', '.join(signs)}."
    )


def print_shortcomings(fits: list[Fitted]) -> None:
    poor = [(f, w) for w in WINDOWS for f in fits if f.r_squared(w) < POOR]
    print(f"\nR2 below {POOR}: {len(poor)} of {len(WINDOWS) * len(fits)} sweeps")
    for fit, window in poor:
        print(f"- {shortcoming(fit, window)}")


# One device for many runs


def groups(runs: list[Run]) -> dict[str, list[Run]]:
    """Runs that one set of parameters may describe: a memristor's at one resistor, and all.

    Of two runs that are the same numbers the second is left out. It says M2 and is M1's: off it
    has 350 kohm, which M1 has at this resistor and frequencies near, and M2 no more than 140.
    """
    runs = [
        run
        for k, run in enumerate(runs)
        if not any(torch.equal(run.across.i, other.across.i) for other in runs[:k])
    ]
    found: dict[str, list[Run]] = {}
    for name in sorted({run.memristor for run in runs}):
        own = [run for run in runs if run.memristor == name]
        for kilo_ohm in (5, 47):
            part = [run for run in own if run.ohm == 1e3 * kilo_ohm and run.amplitude == 0.8]
            found[f"{name}, {kilo_ohm} kohm, 0.8 V"] = part
        found[f"{name}, all"] = own
    return found


def print_joint(fits: list[Fitted], joint: dict[str, tuple[list[Run], DeviceFit]]) -> None:
    alone = {fit.run.name: fit.error("circuit") for fit in fits}
    print("\n| one device for | runs | error % | worst | alone | " + " | ".join(FREE) + " |")
    print("| --- |" + " --- |" * (4 + len(FREE)))
    for name, (runs, fit) in joint.items():
        errors, own = (torch.tensor(x) for x in (fit.error, [alone[run.name] for run in runs]))
        print(
            f"| {name} | {len(runs)} | {100 * errors.median():.2f} | {100 * errors.max():.2f} "
            f"| {100 * own.median():.2f} | {values(fit)} |"
        )


# SiOx


def print_siox(sweeps: list[siox.Sweep]) -> list[dict]:
    """Static laws, for each sweep by itself; the errors for a report."""
    print("\n| SiOx, ohm at 0.1 V | law | R2 | error % |")
    print("| --- | --- | --- | --- |")
    rows = []
    for sweep in sweeps:
        fits = [fit_conduction(law, [sweep]) for law in siox.LAWS]
        best = min(fits, key=lambda fit: fit.median_error)
        rows.append(
            {
                "ohm": siox.resistance(sweep),
                "law": siox.law_text(best.law),
                "r_squared": best.r_squared,
                "median_error": best.median_error,
            }
        )
        print("| {ohm:.4g} | {law} | {r_squared:.3f} |".format(**rows[-1]), end="")
        print(f" {100 * best.median_error:.2f} |")
    errors = torch.tensor([row["median_error"] for row in rows])
    print(
        f"SiOx: error {100 * errors.min():.2f} to {100 * errors.max():.2f} %, "
        f"median {100 * errors.median():.2f} %"
    )
    return rows


# Plots


def loop(sweep: Sweep, response: Response, *, ax: Axes | None = None) -> Axes:
    """Current over the voltage across the device, measured and fitted."""
    ax = pyplot.subplots()[1] if ax is None else ax
    measured = sweep.across_device
    ax.plot(measured.v, 1e6 * measured.i, ".", markersize=3, label="measured")
    ax.plot(response.v, 1e6 * response.i, label="fit")
    ax.set_xlabel("Voltage across the device (V)")
    ax.set_ylabel("Current (µA)")
    ax.legend()
    return ax


def errors_over_frequency(fits: list[Fitted], *, ax: Axes | None = None) -> Axes:
    """Error of every run in its circuit, a line per memristor and resistor."""
    ax = pyplot.subplots()[1] if ax is None else ax
    lines: dict[str, list[tuple[float, float]]] = {}
    for fit in fits:
        run = fit.run
        name = f"{run.memristor}, {run.ohm / 1e3:g} kΩ, {run.amplitude:g} V"
        lines.setdefault(name, []).append((run.hertz, 100 * fit.error("circuit")))
    for name, points in lines.items():
        ax.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    ax.set_xscale("log")
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel("Error (% of the current's range)")
    ax.set_ylim(0)
    ax.legend(fontsize="x-small")
    return ax


def plot(fits: list[Fitted], folder: pathlib.Path) -> None:
    """Best, median and worst of both windows, and the errors over the frequency."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for window, row in zip(WINDOWS, axes, strict=True):
        ranked = sorted(fits, key=lambda fit: fit.error(window))
        for place, ax in zip((0, len(ranked) // 2, -1), row, strict=True):
            fit = ranked[place]
            loop(fit.sweeps[window], fit.response(window), ax=ax)
            title = f"{fit.run.name}, {window}: {100 * fit.error(window):.2f} %"
            ax.set_title(title, fontsize="small")
    figure.savefig(folder / "loops.png", dpi=120)
    errors_over_frequency(fits).figure.savefig(folder / "frequency.png", dpi=120)


def record(fit: DeviceFit) -> dict:
    """A fit for JSON, which has no infinity."""
    errors = {k: x if math.isfinite(x) else None for k, x in fit.standard_error.items()}
    return fit._asdict() | {"device": asdict(fit.device), "standard_error": errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("SNNTORCH_MEMRISTIVE_DATA", ".")
    parser.add_argument("--data-root", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--joint", action="store_true", help="one device for many runs, too")
    parser.add_argument("--json", type=pathlib.Path, help="file for all figures")
    parser.add_argument("--plot", type=pathlib.Path, help="folder for pictures")
    settings = parser.parse_args()
    torch.set_num_threads(1)  # the tensors are small

    raw = knowm.read(settings.data_root)
    facts = knowm.facts(raw)
    print("\n".join(facts))
    offset, farad, _ = knowm.strays(raw)
    fits = [fitted(run.without(offset, farad)) for run in raw]
    print_fits(fits)
    print_parameters(fits)
    print_shortcomings(fits)
    joint = {}
    if settings.joint:
        for name, runs in groups([fit.run for fit in fits]).items():
            joint[name] = runs, fit_device(START, [run.circuit for run in runs], FREE)
        print_joint(fits, joint)
    cells = print_siox(siox.read(settings.data_root))
    if settings.plot:
        plot(fits, settings.plot)
    if settings.json:
        report = {
            "facts": facts,
            "runs": {f.run.name: {w: record(f.fits[w]) for w in WINDOWS} for f in fits},
            "joint": {
                name: {"runs": [run.name for run in runs], **record(fit)}
                for name, (runs, fit) in joint.items()
            },
            "siox": cells,
        }
        settings.json.write_text(json.dumps(report, indent=1, allow_nan=False))


if __name__ == "__main__":
    main()
