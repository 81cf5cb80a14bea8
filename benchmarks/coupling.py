"""What does it cost to tie the columns of a crossbar to the membranes, with no circuit between?

Run ``python benchmarks/coupling.py --data-root DIR``: 784-256-10 with MIF neurons is trained on
MNIST behind virtual grounds. Then its columns are tied to the membranes (``coupling.couple``), for
several read voltages and windows of the cells, each scaled so that the current of a unit of input
stays what it was, and it is trained on with the loads in place, worked out anew for every epoch.
"""

import argparse
import copy
import itertools
from dataclasses import replace
from functools import partial

import torch
from insitu import BATCH, accuracy, learn
from torch import nn

import snntorch_memristive as snnm
from snntorch_memristive import data
from snntorch_memristive.coupling import couple, matched_window

BETA = 0.5

CASES = (("rest", 10), ("rest", 100), ("rest", 1000), ("ground", 100))
"""Around which voltage the drivers swing, the neuron's at rest or 0; and r_off / r_on."""

READ_VOLTAGES = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Voltage of an input of 1. A cell is read at some tenths of a volt; the rest is for scale."""

Layers = tuple[snnm.RRAMLinear, ...]


def neurons() -> tuple[snnm.MIF, snnm.MIF]:
    settings = {"solver": "exponential", "init_hidden": True}
    return snnm.MIF(BETA, **settings), snnm.MIF(BETA, output=True, **settings)


def behind_virtual_grounds(layers: Layers) -> nn.Sequential:
    first, second = neurons()
    return nn.Sequential(nn.Flatten(), layers[0], first, layers[1], second)


def tied(layers: Layers, v_zero: float | None) -> nn.Sequential:
    """The network as its cells are now, their windows matched."""
    net = behind_virtual_grounds(layers)
    for k, layer in enumerate(layers):
        neuron = net[2 * k + 2]
        layer.rram = matched_window(layer, neuron)
        net[2 * k + 2] = couple(layer, neuron, v_zero)
    return net


def train(layers: Layers, join, images: data.Images, epochs: int) -> None:
    """Train ``layers`` with Adam; ``join`` makes the network of them, anew for every epoch."""
    steps = epochs * -(-len(images.train_labels) // BATCH)
    optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(epochs):
        net = join(layers).train()
        for batch in torch.randperm(len(images.train_labels)).split(BATCH):
            learn(net, images, batch, optimizer, schedule)


def percent(net: nn.Sequential, images: data.Images) -> str:
    return f"{100 * accuracy(net, images):.2f} %"


def loads(net: nn.Sequential, g_rest: float) -> str:
    """Median load of the neurons of either layer, as a multiple of the conductance at rest."""
    medians = [float((1 / net[k].circuit.r_load).median()) / g_rest for k in (2, 4)]
    return " / ".join(f"{load:.3g}" for load in medians)


def line(row: list[str]) -> str:
    return "| " + " | ".join(row) + " |"


def cells(layers: Layers) -> str:
    return " / ".join(f"{layer.rram.r_on / 1e3:.3g}" for layer in layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--epochs", type=int, default=3, help="behind virtual grounds")
    parser.add_argument("--more", type=int, default=2, help="epochs with the loads in place")
    parser.add_argument("--read-voltages", nargs="+", type=float, default=READ_VOLTAGES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    images = data.load("mnist", args.data_root)
    trained = snnm.RRAMLinear(784, 256), snnm.RRAMLinear(256, 10)
    train(trained, behind_virtual_grounds, images, args.epochs)
    circuit = neurons()[0].circuit
    g_rest = circuit.leak() * circuit.c_mem
    print(f"membrane at rest: {1e-3 / g_rest:.1f} kOhm; two numbers are those of either layer\n")
    names = ("v_read, V", "zero", "r_off / r_on", "r_on, kOhm", "load", "tied")
    print(line([*names, "load then", "trained on"]), line(["---"] * 8), sep="\n")
    layers = copy.deepcopy(trained)
    row = ["virtual ground", "", "", "", "0", percent(behind_virtual_grounds(layers), images)]
    train(layers, behind_virtual_grounds, images, args.more)
    print(line([*row, "0", percent(behind_virtual_grounds(layers), images)]), flush=True)
    for (zero, window), v_read in itertools.product(CASES, args.read_voltages):
        join = partial(tied, v_zero=0.0 if zero == "ground" else None)
        layers = copy.deepcopy(trained)
        for layer in layers:
            layer.array = replace(layer.array, v_read=v_read)
            layer.rram = snnm.RRAM(r_on=1e3, r_off=window * 1e3)
        net = join(layers)
        row = [f"{v_read:g}", zero, str(window), cells(layers), loads(net, g_rest)]
        row.append(percent(net, images))
        train(layers, join, images, args.more)
        net = join(layers)
        print(line([*row, loads(net, g_rest), percent(net, images)]), flush=True)


if __name__ == "__main__":
    main()
