"""How far MIF is from snn.Leaky below threshold, where both are leaky integrators.

Run ``python benchmarks/subthreshold.py``. A constant input takes Leaky to the given membrane;
printed is the largest difference over 50 steps, in % of threshold. Memristor 1 creeps before it
switches, which no linear neuron does.
"""

import snntorch as snn
import torch

import snntorch_memristive as snnm

LEVELS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
BETAS = (0.5, 0.6, 0.7, 0.8, 0.9)
STEPS = 50


def difference(beta: float, level: float) -> float:
    """Largest difference (fraction of threshold) on the way to a membrane of ``level``."""
    neuron, leaky = snnm.MIF(beta), snn.Leaky(beta)
    current = torch.tensor(level * (1 - beta))
    mem, expected, worst = torch.zeros(()), torch.zeros(()), 0.0
    for _ in range(STEPS):
        _, mem = neuron(current, mem)
        _, expected = leaky(current, expected)
        worst = max(worst, float((mem - expected).abs()))
    return worst


def main() -> None:
    print("| beta | " + " | ".join(f"up to {level:g}" for level in LEVELS) + " |")
    print("| --- |" + " --- |" * len(LEVELS))
    for beta in BETAS:
        cells = (f"{100 * difference(beta, level):.2f}" for level in LEVELS)
        print(f"| {beta:g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
