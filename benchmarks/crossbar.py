"""What a crossbar costs in a time loop, against torch's own layer.

``python benchmarks/crossbar.py`` on an idle machine: 25 steps, a batch of 128, 784 inputs, 100
outputs, forward and backward, weights written once before every loop as in training. Repeats of all
variants are interleaved; medians are taken, and only ratios of one run mean anything.
"""

import argparse
from collections.abc import Callable

import torch
from speed import median_times
from torch import nn

from snntorch_memristive import RRAM, RRAMLinear
from snntorch_memristive.crossbar import Array, Wires

STEPS, BATCH, INPUTS, OUTPUTS = 25, 128, 784, 100


def variants() -> dict[str, nn.Module]:
    """Layers by name; the first is what the others are compared with."""
    written = RRAM(levels=64, programming_error=0.02)
    wires = Array(rows=128, wires=Wires(r_word=1.0, r_bit=1.0))
    return {
        "nn.Linear": nn.Linear(INPUTS, OUTPUTS),
        "ideal cells": RRAMLinear(INPUTS, OUTPUTS),
        "levels, programming error": RRAMLinear(INPUTS, OUTPUTS, rram=written),
        "the same and read noise": RRAMLinear(
            INPUTS, OUTPUTS, rram=RRAM(levels=64, programming_error=0.02, read_noise=0.01)
        ),
        "every effect of a cell": RRAMLinear(
            INPUTS,
            OUTPUTS,
            rram=RRAM(
                levels=64,
                programming_error=0.02,
                spread=0.1,
                stuck_on=0.01,
                stuck_off=0.01,
                drift=0.05,
                read_noise=0.01,
                flicker=0.01,
            ),
        ),
        "wires of 1 Ω, exact": RRAMLinear(INPUTS, OUTPUTS, array=wires),
        "wires of 1 Ω, approximate": RRAMLinear(
            INPUTS, OUTPUTS, array=Array(rows=128, wires=wires.wires, exact=False)
        ),
    }


def loop(layer: nn.Module, with_writing: bool) -> Callable[[], None]:
    """A time loop forward and backward, after the weights have been written or without."""
    inputs = (torch.rand(STEPS, BATCH, INPUTS) < 0.1).float()
    arriving = torch.rand(BATCH, OUTPUTS)

    def work() -> None:
        if with_writing:
            with torch.no_grad():
                layer.weight.mul_(0.9999)
        torch.autograd.backward([layer(x) for x in inputs], [arriving] * STEPS)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    columns = {}
    for title, with_writing in (("written before", True), ("as it was", False)):
        work = {name: loop(layer, with_writing) for name, layer in variants().items()}
        columns[title] = median_times(work, repeats)
    print("| layer | ms, written before | x nn.Linear | ms, as it was | x nn.Linear |")
    print("| --- | --- | --- | --- | --- |")
    base = {title: seconds["nn.Linear"] for title, seconds in columns.items()}
    for name in variants():
        cells = [f"{1e3 * s[name]:.1f} | {s[name] / base[t]:.2f}" for t, s in columns.items()]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
