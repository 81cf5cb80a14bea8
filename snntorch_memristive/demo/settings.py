"""What the demonstration is asked to do."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from .. import data


@dataclass(frozen=True)
class Settings:
    """All that decides the result. A checkpoint goes on only under the same ones."""

    data: str
    """Name of the images, one of :data:`snntorch_memristive.data.NAMES`."""
    hidden: tuple[int, ...]
    """Neurons of every hidden layer."""
    num_steps: int
    """Time steps for which an image is shown."""
    epochs: int
    seed: int
    levels: int
    """Conductance levels of a cell."""
    batch_size: int
    lr: float
    """Learning rate of AdamW at the start; it falls to 0 over all epochs."""
    dropout: float
    """Share of the hidden spikes that training leaves out at every step."""
    device: str
    threads: int
    """Threads of one torch operation."""

    def differences(self, other: dict[str, Any]) -> list[str]:
        """In what ``other``, settings as a dict, differs; more epochs are no difference."""
        own = asdict(self)
        names = [name for name in own if name != "epochs" and own[name] != other.get(name)]
        return [f"--{name.replace('_', '-')} {_shown(other.get(name))}" for name in names]


PRESETS: dict[str, dict[str, Any]] = {
    "digits": {"hidden": [128], "epochs": 20, "lr": 1e-2, "dropout": 0.2},
    "mnist": {"hidden": [256], "epochs": 10, "lr": 5e-3, "dropout": 0.2},
    "fashion-mnist": {"hidden": [512], "epochs": 10, "lr": 1.5e-3, "dropout": 0.0},
}
"""Defaults that depend on the images."""

UNLESS_GIVEN = {"data_root": None, "resume": False}


def parse(argv: Sequence[str]) -> tuple[Settings, argparse.Namespace]:
    """Settings and all arguments; leaves through SystemExit with one line if any is wrong."""
    parser = _parser()
    given = vars(parser.parse_args(argv))
    args = argparse.Namespace(**{**UNLESS_GIVEN, **PRESETS[given["data"]], **given})
    args.hidden = tuple(args.hidden)
    _check_device(parser, args.device)
    names = Settings.__dataclass_fields__
    return Settings(**{name: getattr(args, name) for name in names}), args


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m snntorch_memristive",
        usage="%(prog)s [options]",
        epilog="`%(prog)s spice --help`: the trained network as a circuit for ngspice.",
        description="Train a fully memristive spiking classifier (RRAMLinear + MIF) with "
        "snnTorch's training loop, and beside it a digital one (nn.Linear + snn.Leaky).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", choices=data.NAMES, default="digits", help="images to classify")
    add(
        "--data-root",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help=f"folder that holds mnist/ and fashion-mnist/; ${data.ROOT_VARIABLE} if left out",
    )
    add(
        "--hidden",
        type=_whole(1),
        nargs="+",
        default=argparse.SUPPRESS,
        metavar="N",
        help="neurons of every hidden layer" + _presets("hidden"),
    )
    add("--num-steps", type=_whole(1), default=10, metavar="N", help="time steps per image")
    add(
        "--epochs",
        type=_whole(1),
        default=argparse.SUPPRESS,
        metavar="N",
        help="passes over the training images" + _presets("epochs"),
    )
    add("--seed", type=_whole(0), default=0, metavar="N", help="of weights and batches")
    add("--levels", type=_whole(2), default=64, metavar="N", help="conductance levels of a cell")
    add("--batch-size", type=_whole(1), default=128, metavar="N", help="images per batch")
    add(
        "--lr",
        type=_positive,
        default=argparse.SUPPRESS,
        metavar="X",
        help="learning rate of AdamW at the start, from where it falls to 0" + _presets("lr"),
    )
    add(
        "--dropout",
        type=_share,
        default=argparse.SUPPRESS,
        metavar="X",
        help="share of hidden spikes left out in training" + _presets("dropout"),
    )
    add("--device", default="cpu", help="torch device, such as cpu or cuda")
    add(
        "--threads",
        type=_whole(1),
        default=1,
        metavar="N",
        help="threads of one torch operation; those of so small a network gain little from more",
    )
    add(
        "--out",
        type=Path,
        default=Path("memristive-demo"),
        metavar="DIR",
        help="folder for demo.png, results.json and the checkpoint",
    )
    add(
        "--resume",
        action="store_true",
        default=argparse.SUPPRESS,
        help="go on from the checkpoint in that folder",
    )
    return parser


def _presets(name: str) -> str:
    values = ", ".join(f"{_shown(preset[name])} for {data}" for data, preset in PRESETS.items())
    return f" (default: {values})"


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= sys.maxsize:
            raise argparse.ArgumentTypeError(
                f"Expected a whole number >= {least}, but got {text!r}."
            )
        return value

    return convert


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"Expected a number in [0, 1), but got {text!r}.")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _positive(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"Expected a number > 0, but got {text!r}.")
    return value


def _check_device(parser: argparse.ArgumentParser, device: str) -> None:
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        parser.error(f"argument --device: Expected a usable device, but got {device!r}: {reason}")
