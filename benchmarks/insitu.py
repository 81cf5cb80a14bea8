"""Does a memristive network learn MNIST when its weights only move by programming pulses?

Run ``python benchmarks/insitu.py --data-root DIR``: 784-256-10 with MIF neurons, trained by
``PulsedSGD`` on a device whose steps differ by direction, shrink with the conductance and vary
from pulse to pulse, by both rules, and beside it by torch's SGD on plain numbers.
"""

import argparse
import math
from collections.abc import Iterable
from typing import Any

import torch
from rows import kept
from rows.report import markdown
from torch import Tensor, nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data
from snntorch_memristive.insitu import PulsedSGD, Pulses

BATCH = 128
NUM_STEPS = 10

RRAM = snnm.RRAM(r_on=10e3, r_off=250e3)
"""A window of 25."""

PULSES = Pulses(
    step_on=0.03, step_off=0.045, nonlinearity_on=2.0, nonlinearity_off=1.0, spread=0.05
)
"""Not a fit to one device: about 100 raising pulses fill the window and 40 lowering ones empty it,
their steps fall to 1/7 and to 1/3 on the way, and vary by 5 % from cycle to cycle.
"""

W_MAX = (0.2, 0.6)
"""Weight that fills the window, of both layers."""

LR = {"stochastic": 0.5, "sign": 2.0, "SGD": 1.0}
"""Learning rate at the start, by rule; it falls to 0 along a cosine."""


def network() -> nn.Sequential:
    def mif(**settings) -> snnm.MIF:
        return snnm.MIF(0.5, solver="exponential", init_hidden=True, **settings)

    layers = (snnm.RRAMLinear(784, 256), mif(), snnm.RRAMLinear(256, 10), mif(output=True))
    return nn.Sequential(nn.Flatten(), *layers)


def optimizer(net: nn.Sequential, rule: str) -> torch.optim.Optimizer:
    if rule == "SGD":
        return torch.optim.SGD(net.parameters(), lr=LR[rule])
    layers = [layer for layer in net if isinstance(layer, snnm.RRAMLinear)]
    groups = [
        {"params": list(layer.parameters()), "w_max": w_max}
        for layer, w_max in zip(layers, W_MAX, strict=True)
    ]
    return PulsedSGD(groups, lr=LR[rule], rram=RRAM, pulses=PULSES, rule=rule)


def membranes(net: nn.Sequential, images: Tensor, num_steps: int = NUM_STEPS) -> Tensor:
    snnm.reset(net)
    return snnm.run(net, images.expand(num_steps, *images.shape))[1]


def learn(net: nn.Sequential, images: data.Images, batch: Tensor, optimizer, schedule) -> None:
    """One step on the training images of the indices ``batch``."""
    mem = membranes(net, images.train_images[batch])
    loss = nn.functional.cross_entropy(mem.mean(0), images.train_labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


def train(net, images: data.Images, optimizer, schedule) -> tuple[float, float]:
    """One epoch; returns the smallest and the largest conductance (S) seen after any step."""
    net.train()
    low, high = math.inf, 0.0
    for batch in torch.randperm(len(images.train_labels)).split(BATCH):
        learn(net, images, batch, optimizer, schedule)
        for state in optimizer.state.values():
            if "pair" in state:
                low = min(low, float(state["pair"].min()))
                high = max(high, float(state["pair"].max()))
    return low, high


@torch.no_grad()
def accuracy(net: nn.Sequential, images: data.Images, num_steps: int = NUM_STEPS) -> float:
    net.eval()
    batches = zip(images.test_images.split(500), images.test_labels.split(500), strict=True)
    right = sum(
        int((membranes(net, batch, num_steps).sum(0).argmax(1) == labels).sum())
        for batch, labels in batches
    )
    return right / len(images.test_labels)


def results(rule: str, images: data.Images, epochs: int, seed: int) -> dict[str, Any]:
    """A line of the table: the network trained by ``rule``."""
    torch.manual_seed(seed)
    net = network()
    optim = optimizer(net, rule)
    total = epochs * math.ceil(len(images.train_labels) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optim, total)
    cells = 2 * sum(p.numel() for p in net.parameters())
    low, high = math.inf, 0.0
    for _ in tqdm(range(epochs), desc=rule, unit="epoch"):
        lowest, highest = train(net, images, optim, schedule)
        low, high = min(low, lowest), max(high, highest)
    found = {"rule": rule, "epochs": epochs, "seed": seed, "accuracy": accuracy(net, images)}
    if isinstance(optim, PulsedSGD):
        counts = optim.counts
        found |= {"low": low, "high": high, "refreshed": counts.refreshed}
        found["pulses"] = (counts.raised + counts.lowered) / cells
    return found


def table(lines: Iterable[dict[str, Any]]) -> str:
    """A line per rule, in Markdown."""
    rows = []
    for each in lines:
        row = [each["rule"], f"{each['accuracy']:.2%}", "", "", ""]
        if "pulses" in each:
            row[2] = f"{each['low'] * 1e6:.3f} to {each['high'] * 1e6:.3f}"
            row[3:] = f"{each['pulses']:.1f}", str(each["refreshed"])
        rows.append(row)
    return markdown(("rule", "test accuracy", "cells, µS", "pulses per cell", "refreshed"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rules", nargs="+", choices=LR, default=list(LR))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)))
        return
    torch.set_num_threads(args.threads)
    images = data.load("mnist", args.data_root)
    print(f"{PULSES}\nwindow: {RRAM.g_off * 1e6:.3f} to {RRAM.g_on * 1e6:.3f} µS\n")
    lines = []
    for rule in args.rules:
        lines.append(results(rule, images, args.epochs, args.seed))
        kept.keep(args.json, lines)
    print(table(lines))


if __name__ == "__main__":
    main()
