"""A trained network in ngspice: does it compute what was trained?

Run ``python benchmarks/spice.py``; it needs ngspice and takes about 20 minutes (``--images 3``
for a look). A 64-32-10 network of RRAMLinear (64 levels) and MIF is trained on scikit-learn's
handwritten digits and exported with every cell and every neuron. Errors are differences of
membrane voltages at the ends of time steps, in % of the layer's range of voltages, the largest
over images, steps and neurons. A class is the output whose membrane is highest, summed over all
steps: that is what the network was trained for.

1. Clocked, with default settings and with fewer and more sub-steps.
2. Free-running, where the next layer sees a neuron's output at every moment and not at the end of
   the step, for the same physical network in shorter and shorter steps: same capacitors, cells and
   currents, the image shown for as long.
3. Free-running again, for networks that were trained in these shorter steps.

``--json FILE`` keeps the figures.
"""

import argparse
import json
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

import snntorch_memristive as snnm
from snntorch_memristive import data, spice
from snntorch_memristive.neurons import MemristiveNeuron

STEPS, BETA, EPOCHS, BATCH = 25, 0.9, 15, 64
HIDDEN, LEVELS = 32, 64


def network(parts: int = 1, **settings: object) -> nn.Sequential:
    """The network with time steps of 1/``parts`` µs, in the same time and with the same circuit."""

    def neuron(**output: bool) -> snnm.MIF:
        beta = BETA ** (1 / parts)
        made = snnm.MIF(beta, init_hidden=True, dt=1e-6 / parts, **output, **settings)
        # A unit of input moves the membrane by 1 in a step: a parts-th of that in a parts-th of it.
        made.gain.fill_((1 - beta) / (1 - BETA))
        return made

    rram = snnm.RRAM(levels=LEVELS)
    return nn.Sequential(
        snnm.RRAMLinear(64, HIDDEN, rram=rram),
        neuron(),
        snnm.RRAMLinear(HIDDEN, 10, rram=rram),
        neuron(output=True),
    )


def shown(images: Tensor, parts: int) -> Tensor:
    """The images over all time steps, (time, batch, pixels)."""
    return images.flatten(1).expand(STEPS * parts, *images.flatten(1).shape)


def trained(images: data.Images, parts: int = 1, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    net = network(parts, solver="exponential", substeps=4 if parts == 1 else 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images.train_images)).split(BATCH):
            snnm.reset(net)
            _, mem = snnm.run(net, shown(images.train_images[batch], parts))
            loss = functional.cross_entropy(mem.mean(0), images.train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


@torch.no_grad()
def accuracy(net: nn.Sequential, images: data.Images, parts: int) -> float:
    snnm.reset(net)
    _, mem = snnm.run(net, shown(images.test_images, parts))
    return float((mem.sum(0).argmax(1) == images.test_labels).double().mean())


def with_weights_of(net: nn.Sequential, other: nn.Sequential) -> nn.Sequential:
    """``other`` with the cells of ``net``."""
    for ours, theirs in zip(other, net, strict=True):
        if not isinstance(ours, MemristiveNeuron):
            ours.load_state_dict(theirs.state_dict())
    return other.eval()


def compared(net: nn.Sequential, images: Sequence[Tensor], parts: int, coupling: str) -> dict:
    """Largest errors by layer, and how often both sides saw the same class."""
    start = time.perf_counter()
    found = [spice.compare(net, shown(i[None], parts), coupling=coupling) for i in images]
    seconds = (time.perf_counter() - start) / len(found)
    names = [layer.name for layer in found[0].layers]
    layers = {}
    for k, name in enumerate(names):
        own = [comparison.layers[k] for comparison in found]
        span = max(float(x.v.max()) for x in own) - min(float(x.v.min()) for x in own)
        squares = [layer.v_rms**2 for layer in own]
        layers[name] = {
            "range_mV": 1e3 * span,
            "max_%": 100 * max(layer.v_max for layer in own) / span,
            "rms_%": 100 * (sum(squares) / len(squares)) ** 0.5 / span,
            "agreement_%": 100 * sum(layer.agreement for layer in own) / len(own),
        }
    classes = [comparison.classes("v") for comparison in found]
    return {
        "same_class": sum(own == other for own, other in classes),
        "images": len(found),
        "by_spice": [other for _, other in classes],
        "layers": layers,
        "seconds_per_image": seconds,
    }


def line(name: str, result: dict, labels: Tensor) -> str:
    right = sum(int(c == label) for c, label in zip(result["by_spice"], labels, strict=False))
    parts = [
        f"{layer['max_%']:8.3f} {layer['rms_%']:8.3f} {layer['agreement_%']:8.2f}"
        for layer in result["layers"].values()
    ]
    counts = f"{result['same_class']:>6}/{result['images']}{right:>8}"
    return f"{name:<34}{counts}  {'  '.join(parts)}  {result['seconds_per_image']:6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--json")
    args = parser.parse_args()
    images = data.load("digits", None)
    test, labels = images.test_images[: args.images], images.test_labels[: args.images]
    net = trained(images).eval()
    print(f"trained, in the package: {accuracy(net, images, 1):.2%} of all test images")
    columns = "max %    rms %   sent %"
    print(f"{'':<34}same class   right  hidden: {columns}  output: {columns}  s/image")
    results = {}

    def report(name: str, *work: object) -> None:
        results[name] = compared(*work)
        print(line(name, results[name], labels), flush=True)

    report("clocked, magnus, 4 (default)", with_weights_of(net, network()), test, 1, "clocked")
    for solver in ("exponential", "magnus"):
        for substeps in (1, 2, 4, 8):
            twin = with_weights_of(net, network(solver=solver, substeps=substeps))
            report(f"clocked, {solver}, {substeps}", twin, test[:3], 1, "clocked")
    for parts in args.parts:
        twin = with_weights_of(net, network(parts))
        name = f"free-running, steps of 1/{parts} µs"
        report(name, twin, test, parts, "free-running")
    for parts in args.parts[1:]:
        own = trained(images, parts).eval()
        twin = with_weights_of(own, network(parts))
        name = f"free-running, trained at 1/{parts} µs"
        report(name, twin, test, parts, "free-running")
        print(f"  in the package: {accuracy(twin, images, parts):.2%} of all test images")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
