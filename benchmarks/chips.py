"""What is a network worth on the chips that may be made of it, and does it help to train for them?

Run ``python benchmarks/chips.py --data-root DIR``: MNIST, 784-256-10 with MIF neurons, on published
cells of three technologies: phase change, which drifts (PCM); oxide filaments of low resistance and
five levels (HFO2); a conductive oxide on a filament, written with feedback (CMO_HFOX).

*Unaware*: trained once on ideal cells, and moved. *Aware*: every batch is trained on a chip of its
own, drawn by ``program`` and read at an age between 1 s and a month (uniform in its logarithm).
Programming errors are anew at every writing anyway; how fast a cell drifts is not, and a network
that trains on one chip may fit that one. Wires are in no training.

Both meet the same chips: as they were written; with wires of 1 Ω from cell to cell in tiles of 128
rows, solved exactly; a month old; and a month old with the gain of every read-out raised by what
all cells of its layer have lost together.
"""

import argparse
import copy
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from insitu import BATCH, accuracy, learn, network
from rows import kept
from rows.report import markdown
from torch import nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data, devices
from snntorch_memristive.crossbar import Array, Crossbar, Wires

PRESETS = ("PCM", "HFO2", "CMO_HFOX")

MONTH = 30 * 24 * 3600.0
"""In seconds."""

WIRED = Array(rows=128, wires=Wires(r_word=1.0, r_bit=1.0))

LR, WEIGHT_DECAY = 5e-3, 0.1
"""Of AdamW; the learning rate falls to 0 along a cosine."""

COLUMNS = ("fresh", "wires", "month", "month, compensated")
"""What is measured chip by chip."""


def crossbars(net: nn.Module) -> list[Crossbar]:
    return [layer for layer in net if isinstance(layer, Crossbar)]


def placed(net: nn.Sequential, rram: snnm.RRAM, array: Array) -> nn.Sequential:
    """A copy of ``net`` in other cells and another array."""
    twin = copy.deepcopy(net)
    for layer in crossbars(twin):
        layer.array, layer.rram = array, rram
    return twin


def new_chip(net: nn.Sequential) -> None:
    """Draw a chip, of any age up to a month."""
    age = MONTH ** float(torch.rand(()))
    for layer in crossbars(net):
        layer.program()
        layer.drift_to(age)


def train(images: data.Images, rram: snnm.RRAM, epochs: int, seed: int) -> nn.Sequential:
    """A network that was trained in cells ``rram``, from the same weights by the same batches."""
    torch.manual_seed(seed)
    net = placed(network(), rram, Array()).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    total = epochs * math.ceil(len(images.train_labels) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    shuffle = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(len(images.train_labels), generator=shuffle).split(BATCH):
            new_chip(net)
            learn(net, images, batch, optimizer, schedule)
    snnm.reset(net)
    return net


def after_a_month(net: nn.Sequential, images: data.Images) -> float:
    """Accuracy with the gain of every neuron raised by what the cells before it have lost."""
    layers, neurons = crossbars(net), [layer for layer in net if isinstance(layer, snnm.MIF)]
    for layer, neuron in zip(layers, neurons, strict=True):
        written = layer.conductances().sum()
        layer.drift_to(MONTH)
        neuron.gain.copy_(written / layer.conductances().sum())
    found = accuracy(net, images)
    for neuron in neurons:
        neuron.gain.fill_(1.0)
    return found


def on_chips(
    net: nn.Sequential, rram: snnm.RRAM, images: data.Images, chips: int, seed: int
) -> dict[str, snnm.Chips]:
    """What is in the columns; months are left out where nothing drifts."""

    def evaluate(array: Array, measure: Callable = accuracy, seconds: float = 0.0) -> snnm.Chips:
        return snnm.evaluate_chips(
            placed(net, rram, array),
            lambda twin: measure(twin, images),
            chips,
            seconds=seconds,
            generator=torch.Generator().manual_seed(seed),
        )

    found = {"fresh": evaluate(Array()), "wires": evaluate(WIRED)}
    if rram.drifts:
        found["month"] = evaluate(Array(), seconds=MONTH)
        found["month, compensated"] = evaluate(Array(), after_a_month)
    return found


def table(rows: Iterable[dict[str, Any]]) -> str:
    """A line per network and kind of cell, in Markdown."""
    lines = [
        [
            each["cells"],
            each["training"],
            f"{100 * each['ideal']:.2f}",
            *(_shown(each.get(column)) for column in COLUMNS),
        ]
        for each in rows
    ]
    return markdown(("cells", "training", "ideal", *COLUMNS), lines)


def _shown(values: list[float] | None) -> str:
    if values is None:
        return "no drift"
    chips = snnm.Chips(torch.tensor(values, dtype=torch.float64))
    return f"{100 * chips.mean:.2f} ± {100 * chips.spread:.2f} ({100 * chips.worst:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--chips", type=int, default=20)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)["rows"]))
        return
    torch.set_num_threads(args.threads)
    images = data.load("mnist", args.data_root)
    unaware = train(images, snnm.RRAM(), args.epochs, args.seed)
    asked, rows = {"epochs": args.epochs, "chips": args.chips, "seed": args.seed}, []
    for name, training in tqdm(list(itertools.product(args.presets, ("unaware", "aware")))):
        rram, is_aware = getattr(devices, name), training == "aware"
        net = train(images, rram, args.epochs, args.seed) if is_aware else unaware
        ideal = accuracy(placed(net, snnm.RRAM(), Array()), images)
        found = on_chips(net, rram, images, args.chips, args.seed)
        values = {column: chips.values.tolist() for column, chips in found.items()}
        rows.append({"cells": name, "training": training, "ideal": ideal, **values})
        kept.keep(args.json, {**asked, "rows": rows})
    print(f"Test accuracy, %, of {args.chips} chips: mean ± standard deviation (worst)\n")
    print(table(rows))


if __name__ == "__main__":
    main()
