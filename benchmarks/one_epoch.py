"""Does every ordinary network learn at once, whatever its depth and number of steps?

Run ``python benchmarks/one_epoch.py --data-root DIR``: test accuracy on MNIST after one epoch, of
a deep dense network, a convolutional one in the style of snnTorch's tutorial, and the same with
BatchNorm, with default initialisation, at 5, 10 and 25 time steps. The file that ``--json`` names
also gets the largest gradient of every weight on the first batch.
"""

import argparse
import itertools
from collections.abc import Iterable
from typing import Any

import torch
from insitu import BATCH, accuracy, membranes
from rows import kept
from rows.report import markdown
from torch import nn
from tqdm import tqdm

import snntorch_memristive as snnm
from snntorch_memristive import data


def mif(**settings) -> snnm.MIF:
    return snnm.MIF(0.5, solver="exponential", init_hidden=True, **settings)


def dense() -> nn.Sequential:
    sizes = (784, 256, 256, 256)
    layers = [
        part for pair in itertools.pairwise(sizes) for part in (snnm.RRAMLinear(*pair), mif())
    ]
    return nn.Sequential(nn.Flatten(), *layers, snnm.RRAMLinear(256, 10), mif(output=True))


def convolutional(normalise: bool = False) -> nn.Sequential:
    layers = []
    for inputs, outputs in ((1, 12), (12, 64)):
        norm = [nn.BatchNorm2d(outputs)] if normalise else []
        layers += [snnm.RRAMConv2d(inputs, outputs, 5), *norm, nn.MaxPool2d(2), mif()]
    return nn.Sequential(*layers, nn.Flatten(), snnm.RRAMLinear(64 * 16, 10), mif(output=True))


NETS = {
    "784-256-256-256-10": dense,
    "conv(12)-pool-conv(64)-pool-10": convolutional,
    "conv(12)-norm-pool-conv(64)-norm-pool-10": lambda: convolutional(normalise=True),
}


def train(net: nn.Sequential, images: data.Images, num_steps: int) -> list[float]:
    """One epoch; returns the largest gradient of every weight on the first batch."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    first: list[float] = []
    for batch in torch.randperm(len(images.train_labels)).split(BATCH):
        mem = membranes(net, images.train_images[batch], num_steps)
        loss = nn.functional.cross_entropy(mem.mean(0), images.train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        first = first or [float(p.grad.abs().max()) for p in net.parameters() if p.dim() > 1]
        optimizer.step()
    return first


def table(results: Iterable[dict[str, Any]]) -> str:
    """A line per network, in Markdown, with a column for every number of steps."""
    of: dict[str, dict[int, float]] = {}
    for each in results:
        of.setdefault(each["network"], {})[each["steps"]] = each["accuracy"]
    steps = sorted({each["steps"] for each in results})
    rows = [
        [name, *(f"{100 * found[count]:.2f} %" for count in steps)] for name, found in of.items()
    ]
    return markdown(("network", *(f"{count} steps" for count in steps)), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", default=None)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10, 25])
    parser.add_argument("--threads", type=int, default=1)
    kept.add_options(parser)
    args = parser.parse_args()
    if args.show:
        print(table(kept.read(args.show)))
        return
    torch.set_num_threads(args.threads)
    images = data.load("mnist", args.data_root)
    results = []
    for name, num_steps in tqdm(list(itertools.product(args.nets, args.steps))):
        torch.manual_seed(0)
        net = NETS[name]()
        found = {"network": name, "steps": num_steps}
        found["first gradients"] = train(net, images, num_steps)
        results.append(found | {"accuracy": accuracy(net, images, num_steps)})
        kept.keep(args.json, results)
    print(table(results))


if __name__ == "__main__":
    main()
