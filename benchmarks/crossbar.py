"""What a crossbar costs in a time loop, against torch's own layer.

``python benchmarks/crossbar.py`` on an idle machine: 25 steps, a batch of 128, 784 inputs, 100
outputs, forward and backward, weights written once before every loop as in training. Repeats of all
variants are interleaved; medians are taken, and only ratios of one run mean anything. Then the
first call after a writing with wires, against scipy's sparse LU of the same tiles with one solution
per read-out; and the memory of a layer of 4096 x 4096 cells with every effect.
"""

import argparse
import ctypes
import resource
from collections.abc import Callable

import torch
from speed import median_times, resident
from torch import nn
from wires import bare, nodal

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
                endurance=1e6,
                endurance_spread=0.5,
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


def print_first_call(repeats: int) -> None:
    """The tiles of both halves, solved by SuperLU, and by the layer in its first call."""
    array = Array(rows=128, wires=Wires(1.0, 1.0, 1.0, 1.0))
    layer = RRAMLinear(INPUTS, OUTPUTS, bias=False, array=array).eval()
    tiles = [
        tile.double().numpy()
        for half in layer.conductances().detach()
        for tile in half.T.split(array.rows)
    ]
    systems = [nodal(tile, 1.0) for tile in tiles]
    x = (torch.rand(BATCH, INPUTS) < 0.1).float()

    def first_call() -> None:
        with torch.no_grad():
            layer.weight.mul_(0.9999)
            layer(x)

    def sparse() -> None:
        for matrix, sides in systems:
            bare(matrix, sides)

    digital = nn.Linear(INPUTS, OUTPUTS, bias=False)

    def later(module: nn.Module) -> Callable[[], None]:
        def calls() -> None:
            with torch.no_grad():
                for _ in range(100):
                    module(x)

        return calls

    seconds = median_times({"sparse": sparse, "first call": first_call}, repeats)
    calls = median_times({"layer": later(layer), "digital": later(digital)}, repeats)
    print(
        f"\nFirst call after a writing, {len(tiles)} tiles: {1e3 * seconds['first call']:.0f} ms; "
        f"sparse LU and solutions: {1e3 * seconds['sparse']:.0f} ms; "
        f"ratio {seconds['first call'] / seconds['sparse']:.2f}\n"
        f"Later calls: {calls['layer'] / calls['digital']:.2f} times nn.Linear"
    )


def print_memory(size: int) -> None:
    """Memory that a layer with every effect of a cell takes, in units of its weight's."""
    effects = variants()["every effect of a cell"].rram
    RRAMLinear(8, 8, rram=effects).eval()(torch.rand(2, 8))  # code
    before, weight = resident(), size**2 * 4 / 2**20
    with torch.no_grad():
        layer = RRAMLinear(size, size, bias=False, rram=effects).eval()
        layer.drift_to(1e5)
        layer(torch.rand(8, size))
    ctypes.CDLL(None).malloc_trim(0)  # what has been freed, but not given back
    held = (resident() - before) / weight
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before) / weight
    print(
        f"{size} x {size} cells with every effect: {held:.1f} times the memory of the weight, "
        f"{peak:.1f} times at the peak of drawing and writing"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    print_memory(4096)
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
    print_first_call(repeats)


if __name__ == "__main__":
    main()
