"""Recordings of event cameras and of a model of the ear, cut into time steps by tonic."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from snntorch_memristive import data
from snntorch_memristive.data import Images


@dataclass(frozen=True)
class Recordings:
    """One of tonic's data sets, and what its recordings are made into."""

    dataset: str
    """Its class in ``tonic.datasets``, and the folder in which tonic keeps it."""
    bins: int
    """Time steps into which a recording is cut."""
    factor: float = 1.0
    """By which places are multiplied."""


SMALL = "nmnist-small"
"""The first recordings of N-MNIST, 1000 to train and 100 to test, or as many as there are in the
folders ``nmnist-small/NMNIST/Train/<digit>/`` and ``.../Test/<digit>/``."""

RECORDINGS = {
    SMALL: Recordings("NMNIST", bins=10),
    "nmnist": Recordings("NMNIST", bins=10),
    "shd": Recordings("SHD", bins=50, factor=1 / 5),
    "dvs-gesture": Recordings("DVSGesture", bins=20, factor=1 / 4),
}
"""By the name of the set. N-MNIST: G. Orchard et al. (2015). Spiking Heidelberg Digits: B. Cramer
et al. (2022); 5 of the 700 channels become one. DVS Gesture: A. Amir et al. (2017); 4 x 4 of the
128 x 128 pixels become one."""


def load(name: str, data_root: str | Path | None = None) -> Images:
    """The recordings ``name``, which are in the folder ``data_root`` as tonic leaves them there.

    Images have the shape (n, time, polarities, height, width), and are True where events were,
    but for those at the very end, which fill no time step.

    Raises:
        FileNotFoundError: if they are not there, with what to do.
        ImportError: without tonic.
    """
    try:
        from tonic import datasets, transforms
    except ImportError as error:
        raise ImportError(
            'Expected tonic, which reads events: run `pip install "snntorch-memristive[data]"`.'
        ) from error
    recordings = RECORDINGS[name]
    dataset = getattr(datasets, recordings.dataset)
    *sides, polarities = dataset.sensor_size
    width, height = (max(int(side * recordings.factor), 1) for side in sides)
    cut = transforms.Compose(
        [
            transforms.Downsample(spatial_factor=recordings.factor),
            transforms.ToFrame((width, height, polarities), n_time_bins=recordings.bins),
        ]
    )
    shape = recordings.bins, polarities, height, width

    def seen(events: Any) -> Tensor:
        if not len(events):
            return torch.zeros(shape, dtype=torch.bool)
        in_order = events[numpy.argsort(events["t"], kind="stable")]
        return (torch.from_numpy(cut(in_order)) > 0).view(shape)

    root = Path(data_root or os.environ.get(data.ROOT_VARIABLE, ".")).expanduser()
    parts: list[Tensor] = []
    for is_train in (True, False):
        part = root / SMALL / "NMNIST" / ("Train" if is_train else "Test")
        found = _small(part) if name == SMALL else _all(dataset, root, is_train)
        images, labels = zip(*((seen(events), int(label)) for events, label in found), strict=True)
        parts += [torch.stack(images), torch.tensor(labels)]
    return Images(*parts)


def _small(folder: Path) -> Iterator[tuple[Any, str]]:
    """Events and labels of whatever recordings of N-MNIST are in ``folder``."""
    from tonic.datasets import NMNIST
    from tonic.io import read_mnist_file

    files = sorted(folder.glob("?/*.bin"))
    if not files:
        raise FileNotFoundError(
            f"Expected recordings {folder}/<digit>/<number>.bin, but there are none: unpack "
            f"N-MNIST there, and name the folder that holds {SMALL}/ with --data-root or in the "
            f"environment variable {data.ROOT_VARIABLE}."
        )
    for file in files:
        yield read_mnist_file(str(file), dtype=NMNIST.dtype), file.parent.name


def _all(dataset: Any, root: Path, is_train: bool) -> Iterable[tuple[Any, Any]]:
    """Events and labels of all recordings of one of tonic's data sets in ``root``."""
    name = dataset.__name__  # also that of tonic's folder

    def refuse(_self: Any) -> None:
        raise FileNotFoundError("recordings or their archives are missing")

    try:
        found = type(name, (dataset,), {"download": refuse})(str(root), train=is_train)
    except OSError as error:
        parts = f'tonic.datasets.{name}("{root}", train=part) for part in (True, False)'
        raise FileNotFoundError(
            f"Expected all recordings of {name} in {root / name}, with the archives that they "
            f"came in, but: {error}. Fetch them with python -c 'import tonic; [{parts}]', and name "
            f"{root} with --data-root or in the environment variable {data.ROOT_VARIABLE}."
        ) from error
    if found.data:  # tonic lists gestures in the order of the file system
        in_order = sorted(zip(found.data, found.targets, strict=True))
        found.data, found.targets = zip(*in_order, strict=True)
    return found
