"""The command ``spice``: a trained network as a circuit."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from .. import spice
from ..data import load
from .checkpoint import read
from .network import Net, memristive


def run(argv: Sequence[str]) -> int:
    """Do what ``argv`` asks for; returns the exit code: 0, or 2 if something is missing."""
    args = _parser().parse_args(argv)
    try:
        net, image = _trained(args)
        circuit = spice.netlist(net, image, coupling=args.coupling, per_layer=True)
        print(f"Written: {circuit.save(args.out)}. `ngspice -b -r out.raw network.cir` runs it.")
        if args.compare:
            _compare(net, image, args)
    except (ImportError, OSError, ValueError, spice.NgspiceError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _trained(args: argparse.Namespace) -> tuple[Net, torch.Tensor]:
    """The network of the checkpoint in ``eval``, and the image it is to see."""
    settings, networks = read(args.checkpoint)
    if "memristive" not in networks:
        raise ValueError(f"Expected a trained memristive network, but {args.checkpoint} has none.")
    images = load(str(settings.get("data")), args.data_root)
    if not 0 <= args.sample < len(images.test_images):
        raise ValueError(
            f"Expected a --sample from 0 to {len(images.test_images) - 1}, but got {args.sample}."
        )
    classes = int(images.train_labels.max()) + 1
    hidden = settings.get("hidden", ())
    sizes = (images.train_images[0].numel(), *hidden, classes)
    try:
        net = memristive(sizes, settings["num_steps"], settings["dropout"], settings["levels"])
        net.load_state_dict(networks["memristive"]["net"])
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"Expected a network of the demonstration in {args.checkpoint}, but {error}."
        ) from error
    return net.eval(), images.test_images[args.sample][None]


def _compare(net: Net, image: torch.Tensor, args: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    from ..plots import compared

    found = spice.compare(net, image, coupling=args.coupling)
    print(found)
    last = found.layers[-1]
    figure = compared(last).figure
    assert isinstance(figure, Figure)
    path = args.out / "comparison.png"
    figure.savefig(path, dpi=150, bbox_inches="tight")
    print(f"Written: {path}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m snntorch_memristive spice",
        description="Write the memristive network of a checkpoint, with one image as its input, as "
        "a circuit for ngspice.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="checkpoint.pt of the demonstration")
    add("--sample", type=int, default=0, metavar="N", help="number of the test image")
    add("-o", "--out", type=Path, required=True, metavar="FOLDER", help="where to write to")
    add("--coupling", choices=("clocked", "free-running"), default="clocked", help="of layers")
    add("--compare", action="store_true", help="run ngspice, and print and plot what differs")
    add("--data-root", type=Path, default=None, metavar="FOLDER", help="of the images")
    return parser
