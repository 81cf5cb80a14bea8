"""Does a crossbar learn patterns by itself, when only the timing of spikes moves its cells?

Run ``python benchmarks/stdp.py``: four patterns of 5 x 5 pixels, some of which are flipped in every
presentation, drive a crossbar into four memristive neurons that inhibit each other through a
second crossbar. snnTorch's ``STDPLearner`` moves the cells; no label is used. The task is of the
kind of P. Zhou, D.-U. Choi, J. K. Eshraghian and S.-M. Kang, "A fully memristive spiking neural
network with unsupervised learning", ISCAS 2022, arXiv:2203.01416; patterns and rule are our own.
"""

import argparse
import itertools
import statistics
from collections.abc import Iterable

import torch
from rows import kept
from rows.report import markdown
from snntorch.functional.stdp_learner import STDPLearner
from torch import Tensor, nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive.crossbar import Array

SHAPES = (
    ("#...#", ".#.#.", "..#..", ".#.#.", "#...#"),
    ("..#..", "..#..", "#####", "..#..", "..#.."),
    ("#####", "..#..", "..#..", "..#..", "..#.."),
    ("#....", "#....", "#....", "#....", "#####"),
)

PATTERNS = torch.tensor([[pixel == "#" for pixel in "".join(rows)] for rows in SHAPES])
"""Nine set pixels each, of which two patterns share up to five; shape (4, 25)."""

NUM_STEPS = 8
"""Length of a presentation, which begins at rest."""

SET, CLEAR = slice(0, 3), slice(4, 6)
"""Steps in which a set pixel spikes, and one that is not set: before and after the neurons do."""

TAU = 4.0
"""Steps that a trace lasts, before and after a spike."""

UP, DOWN = 0.15, 0.05
"""Share of the way to the end of its window that a cell goes at first, per pair of spikes."""

SLOWEST = 0.1
"""The steps shrink to this share of their first size in the course of learning."""

FRESH = (0.7, 0.8)
"""Weights to begin with: a neuron that has learned another pattern loses to a fresh one."""

THRESHOLD = 14.0
"""In units of a cell that is fully on."""

INHIBITION = 60.0
"""What a neuron's spike takes from the input of all, itself too, in the same units."""

CELLS = {
    "ideal": snnm.RRAM(),
    "64 levels": snnm.RRAM(levels=64),
    "64 levels, spread 5 %": snnm.RRAM(levels=64, spread=0.05),
    "64 levels, spread 20 %": snnm.RRAM(levels=64, spread=0.2),
}


def draw(count: int, flips: float) -> tuple[Tensor, Tensor]:
    """Images (count, 25), every pixel flipped with probability ``flips``, and their labels."""
    labels = torch.randint(len(PATTERNS), (count,))
    images = PATTERNS[labels]
    return images ^ (torch.rand(images.shape) < flips), labels


def network(rram: snnm.RRAM) -> nn.Sequential:
    fc = snnm.RRAMLinear(25, 4, bias=False, rram=rram, array=Array(w_max=1.0))
    neurons = snnm.RMIF(
        0.9,
        linear_features=4,
        threshold=THRESHOLD,
        init_hidden=True,
        inhibition=True,  # of those that reach the threshold in one step, the highest
        solver="exponential",
        substeps=2,
        spike="binary",
    )
    with torch.no_grad():
        fc.weight.uniform_(*FRESH)
        neurons.recurrent.weight.fill_(-INHIBITION)
        neurons.recurrent.bias.zero_()
    return nn.Sequential(fc, neurons)


def respond(net: nn.Sequential, images: Tensor) -> Tensor:
    """Spikes (NUM_STEPS, batch, 4) of the neurons, from rest."""
    trains = torch.zeros(NUM_STEPS, *images.shape)
    trains[SET], trains[CLEAR] = images.float(), (~images).float()
    snnm.reset(net)
    return torch.stack([net(spikes) for spikes in trains])


def written(weight: Tensor, levels: int | None) -> Tensor:
    """What the cells take: one of the two levels beside ``weight``, so that its mean is right.

    Nothing but the cells remembers, so steps below a level must not be lost.
    """
    weight = weight.clamp(0, 1)
    if levels is None:
        return weight
    steps = levels - 1
    return (steps * weight + torch.rand_like(weight)).floor().clamp(max=steps) / steps


@torch.no_grad()
def learn(net: nn.Sequential, images: Tensor) -> None:
    """Present ``images`` (count, 25) one after the other."""
    fc, neurons = net
    learner = STDPLearner(
        fc, neurons, TAU, TAU, f_pre=lambda w: DOWN * w, f_post=lambda w: UP * (1 - w)
    )
    for k, image in enumerate(images):
        respond(net, image[None])
        change = learner.step(on_grad=False, scale=max(SLOWEST, 1 - k / len(images)))
        fc.weight.copy_(written(fc.weight + change, fc.rram.levels))
        learner.trace_pre = learner.trace_post = None  # its own reset() fails (snnTorch 1.0)
    learner.in_spike_monitor.remove_hooks()
    learner.out_spike_monitor.remove_hooks()


@torch.no_grad()
def recognised(net: nn.Sequential, flips: float, count: int = 1000) -> float:
    """Share of fresh images whose pattern is the one that the neuron with most spikes stands for.

    A neuron stands for the pattern that it answers most of ``count`` other images of.
    """
    images, labels = draw(count, flips)
    spikes = respond(net, images).sum(0)
    answers = nn.functional.one_hot(labels, len(PATTERNS)).T.float() @ spikes
    stands_for = answers.argmax(0)
    images, labels = draw(count, flips)
    spikes = respond(net, images).sum(0)
    right = (stands_for[spikes.argmax(1)] == labels) & (spikes.amax(1) > 0)
    return float(right.float().mean())


def nearest(flips: float, count: int = 10000) -> float:
    """The same by the nearest pattern, which no classifier that knows them all surpasses."""
    images, labels = draw(count, flips)
    distance = (images[:, None] ^ PATTERNS).sum(-1)
    return float((distance.argmin(1) == labels).float().mean())


def trained(rram: snnm.RRAM, flips: float, presentations: int) -> nn.Sequential:
    net = network(rram)
    learn(net, draw(presentations, flips)[0])
    return net


def measure(cells: str, flips: float, presentations: int, seeds: int) -> dict:
    rates, ends = [], []
    for seed in range(seeds):
        torch.manual_seed(seed)
        net = trained(CELLS[cells], flips, presentations)
        rates.append(100 * recognised(net, flips))
        ends += [float(end) for end in net[0].weight.aminmax()]
    torch.manual_seed(0)
    best = 100 * nearest(flips)
    weights = [min(ends), max(ends)]
    return {"cells": cells, "flips": flips, "rates": rates, "weights": weights, "best": best}


def table(measured: Iterable[dict]) -> str:
    """A line per kind of cell and share of flipped pixels, in Markdown."""
    rows = []
    for m in measured:
        rates = m["rates"]
        spread = statistics.stdev(rates) if len(rates) > 1 else 0.0
        columns = [m["cells"], f"{100 * m['flips']:g} %"]
        columns += [f"{statistics.mean(rates):.1f} ± {spread:.1f}", f"{min(rates):.1f}"]
        columns += [f"{m['best']:.1f}", f"{m['weights'][0]:.2f} to {m['weights'][1]:.2f}"]
        rows.append(columns)
    return markdown(
        ("cells", "flipped", "recognised, %", "worst", "nearest pattern", "weights"), rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--flips", nargs="+", type=float, default=[0.05, 0.1])
    parser.add_argument("--presentations", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)))
        return
    torch.set_num_threads(args.threads)
    measured = []
    for cells, flips in tqdm(list(itertools.product(args.cells, args.flips))):
        measured.append(measure(cells, flips, args.presentations, args.seeds))
        kept.keep(args.json, measured)
    print(table(measured))


if __name__ == "__main__":
    main()
