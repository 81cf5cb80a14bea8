"""How every memristive neuron learns, beside snn.Leaky: accuracy, spikes and time.

Networks of 256 hidden neurons, trained with the recipe of ``learning.py`` on one seed; memristive
ones in the cells of its setting "spread". Run ``python benchmarks/neurons.py --data digits``, or
``--data mnist --epochs 5``.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import snntorch as snn
import torch
from rows import kept
from rows.images import load
from rows.measures import layers
from rows.report import markdown
from rows.row import BETA, CELLS, Network, Row, place
from rows.training import Training
from torch import nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data

HIDDEN = 256


@dataclass(frozen=True)
class Kind:
    """Neurons, and for how many steps an image is shown to them."""

    make: Callable[[int], nn.Module]
    """Of the number of neurons in the layer."""
    num_steps: int = 5
    linear: type[nn.Linear] = snnm.RRAMLinear


HELD = {"init_hidden": True, "solver": "exponential"}

KINDS = {
    "snn.Leaky": Kind(lambda _: snn.Leaky(BETA, init_hidden=True), linear=nn.Linear),
    "MIF": Kind(lambda _: snnm.MIF(BETA, **HELD)),
    "RMIF": Kind(lambda size: snnm.RMIF(BETA, linear_features=size, **HELD)),
    "SynapticMIF": Kind(lambda _: snnm.SynapticMIF(BETA, BETA, init_hidden=True)),
    "AlphaMIF": Kind(lambda _: snnm.AlphaMIF(0.6, BETA, init_hidden=True)),
    "LapicqueMIF": Kind(lambda _: snnm.LapicqueMIF(BETA, **HELD)),
    "Mott": Kind(lambda _: snnm.Mott(threshold=5.0, init_hidden=True), num_steps=25),
    "Nanodot": Kind(
        lambda _: snnm.Nanodot(threshold=3.0, substeps=20, init_hidden=True), num_steps=10
    ),
}
"""By the name in the table. Mott needs some 25 steps of its own length for a spike, Nanodot 10, and
their thresholds bring inputs of the usual size to where they fire."""


def train(name: str, images: data.Images, row: Row) -> dict[str, Any]:
    """A line of the table: the network of neurons ``name``, trained and tested."""
    kind = KINDS[name]

    def make(row: Row, image: torch.Size, classes: int) -> Network:
        sizes = image.numel(), HIDDEN, classes
        hidden, output = kind.make(HIDDEN), kind.make(classes)
        output.output = True
        first, second = kind.linear(*sizes[:2]), kind.linear(*sizes[1:])
        network = Network(
            nn.Sequential(nn.Flatten(), first, hidden, second, output), kind.num_steps
        )
        place(network, row, CELLS[row.setting])
        return network

    training = Training(row, images, make)
    for _ in tqdm(range(row.epochs), desc=name, unit="epoch"):
        training.run_epoch(lambda loss: None)
    hidden, output = layers(training.network, images.test_images, images.test_labels)
    return {
        "neuron": name,
        "accuracy": training.history[-1]["accuracy"],
        "spikes": hidden["spikes"],
        "silent": hidden["silent"],
        "gradient": hidden["gradient"],
        "output spikes": output["spikes"],
        "seconds": min(epoch["seconds"] for epoch in training.history),
    }


def table(results: Iterable[dict[str, Any]]) -> str:
    """A line per neuron, in Markdown."""
    head = ("neuron", "accuracy", "spikes per hidden neuron", "silent", "gradient", "s per epoch")
    rows = [
        [
            each["neuron"],
            f"{each['accuracy']:.2%}",
            f"{each['spikes']:.2f}",
            f"{each['silent']:.1%}",
            f"{each['gradient']:.1e}",
            f"{each['seconds']:.1f}",
        ]
        for each in results
    ]
    return markdown(head, rows)


def main() -> None:
    """Print a line per neuron."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=("digits", "mnist", "fashion-mnist"), default="digits")
    parser.add_argument("--data-root", default=None, help=f"${data.ROOT_VARIABLE} if left out")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)))
        return
    images = load(args.data, args.data_root)
    row = Row(args.data, f"dense{HIDDEN}", "spread", "memristive", args.seed, args.epochs)
    results = [train(name, images, row) for name in args.only]
    print(table(results))
    kept.keep(args.json, results)


if __name__ == "__main__":
    main()
