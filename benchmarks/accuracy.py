"""How far each solver is from the converged circuit, by sub-steps and stimulus.

Run ``python benchmarks/accuracy.py``. The reference is the package's own Runge-Kutta solver at
64 sub-steps, which tests/test_spice.py holds against ngspice.
"""

import argparse

import torch

from snntorch_memristive.circuits import MIFCircuit
from snntorch_memristive.functional import integrate

DT, STEPS = 1e-6, 200
SOLVERS = ("magnus", "exponential", "symmetric")
SUBSTEPS = (1, 2, 4, 8)


def stimuli(seeds: int) -> dict[str, torch.Tensor]:
    """Held currents (A) of shape (time, seeds)."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(STEPS, seeds, generator=generator, dtype=torch.float64)
    phase = (torch.arange(STEPS, dtype=torch.float64)[:, None] + 0.5) / STEPS
    return {
        "random, 0 to 30 uA": uniform * 30e-6,
        "random, 0 to 100 uA": uniform * 100e-6,
        "random, -30 to 30 uA": (2 * uniform - 1) * 30e-6,
        "random, -100 to 100 uA": (2 * uniform - 1) * 100e-6,
        "half-sines of 20 uA": 20e-6 * torch.sin(4 * torch.pi * phase).abs(),
        "bursts of 60 uA, 10 on 40 off": torch.where(phase % 0.25 < 0.05, 60e-6, 0.0).double(),
    }


def errors(current: torch.Tensor, reference: torch.Tensor, **settings) -> torch.Tensor:
    """Largest error at any step end, in % of the voltage range, of every seed."""
    v = integrate(MIFCircuit(), current, DT, **settings)["v"]
    spread = reference.amax(0) - reference.amin(0)
    return 100 * (v - reference).abs().amax(0) / spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    seeds = parser.parse_args().seeds
    print(f"Largest error at any of {STEPS} step ends, % of the voltage range, {seeds} seeds:")
    print("median / largest by sub-steps\n")
    print("| stimulus | solver | " + " | ".join(str(n) for n in SUBSTEPS) + " |")
    print("| --- | --- |" + " --- |" * len(SUBSTEPS))
    for name, current in stimuli(seeds).items():
        reference = integrate(MIFCircuit(), current, DT, substeps=64, solver="rk4")["v"]
        for solver in SOLVERS:
            cells = []
            for substeps in SUBSTEPS:
                error = errors(current, reference, substeps=substeps, solver=solver)
                cells.append(f"{error.median():.2f} / {error.max():.2f}")
            print(f"| {name} | {solver} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
