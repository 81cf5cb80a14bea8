"""What does it cost to tie the columns of a crossbar to the membranes, with no circuit between?

Run ``python benchmarks/coupling.py --data-root DIR``: 784-256-10 with MIF neurons is trained on
MNIST behind virtual grounds. Then its columns are tied to the membranes (``coupling.couple``), for
several read voltages, with cells of one window, scaled so that the current of a unit of input
stays what it was, and it is trained on with the loads in place, worked out anew for every epoch.
Loads are those of a column of either layer, in conductances of a membrane at rest.
"""

import argparse
import copy
import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from insitu import BATCH, accuracy, learn
from rows import kept
from rows.report import markdown
from torch import nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data
from snntorch_memristive.coupling import couple, matched_window

BETA = 0.5

READ_VOLTAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
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


def line(layers: Layers, join: Callable, images: data.Images, epochs: int) -> dict[str, Any]:
    """How well the network that ``join`` makes of ``layers`` does as it is, and some epochs on."""
    net = join(layers)
    r_on = [layer.rram.r_on for layer in layers]
    found = {"r_on": r_on, "load": loads(net), "tied": accuracy(net, images)}
    train(layers, join, images, epochs)
    net = join(layers)
    return found | {"load then": loads(net), "trained on": accuracy(net, images)}


def loads(net: nn.Sequential) -> list[float]:
    """Median load of the neurons of either layer, as a multiple of the conductance at rest."""
    circuit = neurons()[0].circuit
    at_rest = circuit.leak() * circuit.c_mem
    of_both = [getattr(net[k].circuit, "r_load", None) for k in (2, 4)]
    return [0.0 if of is None else float((1 / of).median()) / at_rest for of in of_both]


def table(lines: Iterable[dict[str, Any]]) -> str:
    """A line per case, in Markdown."""
    head = ("read voltage", "zero", "r_off / r_on", "r_on, kΩ", "load", "tied")
    rows = []
    for each in lines:
        case = ["virtual ground", "", "", ""]
        if each["v_read"] is not None:
            case = [f"{each['v_read']:g} V", each["zero"], str(each["window"])]
            case.append(_both(r_on / 1e3 for r_on in each["r_on"]))
        measured = _both(each["load"]), f"{each['tied']:.2%}"
        later = _both(each["load then"]), f"{each['trained on']:.2%}"
        rows.append([*case, *measured, *later])
    return markdown((*head, "load then", "trained on"), rows)


def _both(numbers: Iterable[float]) -> str:
    return ", ".join(f"{float(f'{number:.2g}'):g}" for number in numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--epochs", type=int, default=3, help="behind virtual grounds")
    parser.add_argument("--more", type=int, default=2, help="epochs with the loads in place")
    parser.add_argument("--read-voltages", nargs="+", type=float, default=READ_VOLTAGES)
    parser.add_argument("--zero", nargs="+", choices=("rest", "ground"), default=["rest"])
    parser.add_argument("--windows", nargs="+", type=int, default=[100])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)))
        return
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    images = data.load("mnist", args.data_root)
    trained = snnm.RRAMLinear(784, 256), snnm.RRAMLinear(256, 10)
    train(trained, behind_virtual_grounds, images, args.epochs)
    lines = [
        {"v_read": None} | line(copy.deepcopy(trained), behind_virtual_grounds, images, args.more)
    ]
    kept.keep(args.json, lines)
    cases = list(itertools.product(args.zero, args.windows, args.read_voltages))
    for zero, window, v_read in tqdm(cases):
        layers = copy.deepcopy(trained)
        for layer in layers:
            layer.array = replace(layer.array, v_read=v_read)
            layer.rram = snnm.RRAM(r_on=1e3, r_off=window * 1e3)
        join = partial(tied, v_zero=0.0 if zero == "ground" else None)
        case = {"v_read": v_read, "zero": zero, "window": window}
        lines.append(case | line(layers, join, images, args.more))
        kept.keep(args.json, lines)
    print(table(lines))


if __name__ == "__main__":
    main()
