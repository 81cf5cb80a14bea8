"""What a preset of measured SiOx memory cells should say, and how well it describes them.

Run ``python benchmarks/siox.py --data-root FOLDER`` (or set SNNTORCH_MEMRISTIVE_DATA), where
FOLDER holds memristor-siox-multistate/SiO_x-multistate-data.mat: 53 current-voltage sweeps of
different resistance states, shared with D. Joksas et al., "Nonideality-aware training for
accurate and robust low-power memristive neural networks", Advanced Science 9 (2022),
doi:10.1002/advs.202105784, Zenodo record 5762184.

Every sweep is fitted from 20 mV, of whose current that measured at 0 V is 4 % in the median
state and 9 % at most, to 0.5 V, which the shortest sweep reaches. ``R2`` is the share of the
variance of ln(i / v) within the sweeps that a law explains (0 for Ohm's law), the error is the
median relative error of the current.
"""

import argparse
import math
import os
import pathlib

import torch
from scipy.io import loadmat
from torch import Tensor

from snntorch_memristive.devices.conduction import Conduction, Ohmic, PooleFrenkel, Sinh
from snntorch_memristive.devices.fit import ConductionFit, fit_conduction

FILE = pathlib.Path("memristor-siox-multistate", "SiO_x-multistate-data.mat")
V_LOW, V_READ, V_HIGH = 0.02, 0.1, 0.5
R_QUANTUM = 12906.404  # h / 2e^2, ohm
LAWS = (Ohmic, Sinh, PooleFrenkel)

Sweep = tuple[Tensor, Tensor]


def read(root: pathlib.Path) -> list[Sweep]:
    """Voltages (V) and currents (A) of every state, from the lowest resistance up."""
    path = root / FILE
    if not path.is_file():
        raise SystemExit(f"No {path}: give --data-root the folder that holds {FILE.parts[0]}/.")
    i, v, _ = torch.from_numpy(loadmat(path)["data"]).unbind(1)
    fitted = ((v >= V_LOW - 1e-6) & (v <= V_HIGH + 1e-6)).all(1)
    return sorted(zip(v[fitted].T, i[fitted].T, strict=True), key=resistance)


def at(sweep: Sweep, volt: float) -> float:
    """Resistance (ohm) of a sweep at the measured point nearest to ``volt``."""
    v, i = sweep
    point = int((v - volt).abs().argmin())
    return float(v[point] / i[point])


def resistance(sweep: Sweep) -> float:
    """Resistance (ohm) at the read voltage."""
    return at(sweep, V_READ)


def windows(sweeps: list[Sweep]) -> dict[str, list[Sweep]]:
    """States that one law may describe: all, and either side of the resistance quantum."""
    lowest, highest = resistance(sweeps[0]), resistance(sweeps[-1])
    return {
        "all states": sweeps,
        "below h/2e2": [s for s in sweeps if resistance(s) < R_QUANTUM],
        "lowest, ratio 5": [s for s in sweeps if resistance(s) < 5 * lowest],
        "above h/2e2": [s for s in sweeps if resistance(s) > R_QUANTUM],
        "highest, ratio 5": [s for s in sweeps if resistance(s) > highest / 5],
    }


def spread(law: Conduction, sweeps: list[Sweep]) -> float:
    """Standard deviation of ln i at the highest voltage, for cells alike at the read voltage."""
    ends = torch.tensor([V_READ, V_HIGH], dtype=torch.float64)
    expected = float(law.chord(ends).log().diff())
    errors = [math.log(at(s, V_READ) / at(s, V_HIGH)) - expected for s in sweeps]
    return math.sqrt(sum(error**2 for error in errors) / len(errors))


def roughness(sweep: Sweep) -> float:
    """Standard deviation of ln i from point to point, from second differences."""
    v, i = sweep
    bend = (i / v).log().diff(n=2)
    # Robust against the jumps of single traps; independent noise enters as 1, -2 and 1.
    return float(bend.abs().median()) / 0.6745 / math.sqrt(6)


def law_text(law: Conduction) -> str:
    """The law with its voltage to three digits, as it can be pasted."""
    values = ", ".join(f"{name}={value:.3g}" for name, value in vars(law).items())
    return f"{type(law).__name__}({values})"


def print_states(sweeps: list[Sweep]) -> None:
    r = torch.tensor([resistance(s) for s in sweeps])
    steps = r.log10().diff()
    noise = torch.tensor([roughness(s) for s in sweeps])
    print(f"{len(sweeps)} states, {r[0]:.4g} to {r[-1]:.4g} ohm at {V_READ:g} V")
    print(
        f"spacing of neighbours in decades: median {steps.median():.3f}, "
        f"largest {steps.max():.3f} (from {r[steps.argmax()]:.3g} ohm), not even in conductance"
    )
    for name, part in (("below", r < R_QUANTUM), ("above", r > R_QUANTUM)):
        print(
            f"noise from point to point {name} h/2e2: median {100 * noise[part].median():.2f} %, "
            f"largest {100 * noise[part].max():.2f} % of the current"
        )


def print_fits(fits: dict[str, list[ConductionFit]], parts: dict[str, list[Sweep]]) -> None:
    print("\n| window | states | ohm at 0.1 V | law | R2 | error % | spread at 0.5 V |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, part in parts.items():
        ends = f"{resistance(part[0]):.4g} to {resistance(part[-1]):.4g}"
        for fit in fits[name]:
            print(
                f"| {name} | {len(part)} | {ends} | {law_text(fit.law)} | {fit.r_squared:.3f} "
                f"| {100 * fit.median_error:.1f} | {spread(fit.law, part):.3f} |"
            )


def print_each(sweeps: list[Sweep]) -> None:
    """How the law's voltage depends on the state: one fit for every sweep."""
    print("\n| ohm at 0.1 V | v_pf | R2 | error % | v0 | R2 | error % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for sweep in sweeps:
        pf, sinh = (fit_conduction(law, [sweep]) for law in (PooleFrenkel, Sinh))
        print(
            f"| {resistance(sweep):.4g} | {pf.law.v_pf:.3g} | {pf.r_squared:.3f} "
            f"| {100 * pf.median_error:.2f} | {sinh.law.v0:.3g} | {sinh.r_squared:.3f} "
            f"| {100 * sinh.median_error:.2f} |"
        )


def print_preset(name: str, fit: ConductionFit, part: list[Sweep]) -> None:
    """A preset whose cells have the measured resistances at the read voltage."""
    chord = float(fit.law.chord(torch.tensor(V_READ)))
    r_on, r_off = (resistance(part[end]) * chord for end in (0, -1))
    g = torch.tensor([1 / resistance(s) / chord for s in part])
    noise = torch.tensor([roughness(s) for s in part])
    read_noise = float((g * noise).square().mean().sqrt()) / (1 / r_on - 1 / r_off)
    print(
        f"\n{name} = RRAM(r_on={r_on:.4g}, r_off={r_off:.4g}, conduction={law_text(fit.law)}, "
        f"spread={spread(fit.law, part):.2g}, read_noise={read_noise:.2g})  "
        f"# {len(part)} states measured"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("SNNTORCH_MEMRISTIVE_DATA", ".")
    parser.add_argument("--data-root", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--each", action="store_true", help="fit every sweep by itself, too")
    settings = parser.parse_args()
    sweeps = read(settings.data_root)
    parts = windows(sweeps)
    fits = {name: [fit_conduction(law, part) for law in LAWS] for name, part in parts.items()}
    print_states(sweeps)
    print_fits(fits, parts)
    if settings.each:
        print_each(sweeps)
    for name, window in (("SIOX", "above h/2e2"), ("SIOX_LOW", "lowest, ratio 5")):
        print_preset(name, max(fits[window], key=lambda fit: fit.r_squared), parts[window])


if __name__ == "__main__":
    main()
