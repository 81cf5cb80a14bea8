"""Images and event recordings, and images as they are shown in training: moved, mirrored."""

import math
import os
from pathlib import Path

import numpy
import torch
from torch import Tensor
from torch.nn import functional

from snntorch_memristive import data
from snntorch_memristive.data import Images

from .row import EVENTS, Recipe

SENSOR = (2, 34, 34)
"""Polarities, height and width."""

BINS = 10
"""Time steps into which a recording is cut; an input is the number of events in it, up to 1."""


def load(name: str, data_root: str | Path | None = None) -> Images:
    """As :func:`snntorch_memristive.data.load`, and the recordings of :data:`EVENTS`, which are
    of shape (n, time, 2, 34, 34).

    Raises:
        FileNotFoundError: as there, and if there are no recordings.
        ImportError: if recordings are asked for without tonic.
    """
    if name != EVENTS:
        return data.load(name, data_root)
    folder = Path(data_root or os.environ.get(data.ROOT_VARIABLE, ".")) / name / "NMNIST"
    return Images(*_recordings(folder / "Train"), *_recordings(folder / "Test"))


def _recordings(folder: Path) -> tuple[Tensor, Tensor]:
    """Recordings in ``folder``, shape (n, BINS, *SENSOR), and their labels, shape (n,)."""
    files = sorted(folder.glob("?/*.bin"))
    if not files:
        raise FileNotFoundError(
            f"Expected recordings {folder}/<digit>/<number>.bin, but there are none: unpack "
            f"N-MNIST there, and name the folder that holds {EVENTS}/ with --data-root or in the "
            f"environment variable {data.ROOT_VARIABLE}."
        )
    labels = torch.tensor([int(file.parent.name) for file in files])
    return torch.stack([_binned(file) for file in files]), labels


def _binned(file: Path) -> Tensor:  # shape: (BINS, *SENSOR)
    try:
        from tonic.io import read_mnist_file
    except ImportError as error:
        raise ImportError(
            'Expected tonic, which reads events: run `pip install "snntorch-memristive[data]"`.'
        ) from error
    fields = ("x", "y", "t", "p")
    events = read_mnist_file(str(file), dtype=numpy.dtype([(name, int) for name in fields]))
    x, y, t, p = (torch.from_numpy(events[name].copy()) for name in fields)
    places = (t * BINS // (t.max() + 1), p, y, x)
    frames = torch.zeros(BINS, *SENSOR)
    return frames.index_put_(places, torch.ones(len(t)), accumulate=True).clamp(max=1.0)


def augmented(
    images: Tensor,  # shape: (batch, channels, height, width)
    recipe: Recipe,
    generator: torch.Generator,
) -> Tensor:  # shape: (batch, channels, height, width)
    """``images``, each changed by draws of its own, as far as ``recipe`` says; black outside."""
    draws = 2 * torch.rand(5, len(images), generator=generator) - 1
    if recipe.mirror:
        images = torch.where(draws[0].view(-1, 1, 1, 1) < 0, images.flip(-1), images)
    if not (recipe.shift or recipe.rotation or recipe.zoom):
        return images
    angle = draws[1] * math.radians(recipe.rotation)
    size = 1 + draws[2] * recipe.zoom
    across, down = (
        draw * recipe.shift * 2 / pixels  # an image is 2 wide and 2 high
        for draw, pixels in zip(draws[3:], (images.shape[-1], images.shape[-2]), strict=True)
    )
    cos, sin = size * angle.cos(), size * angle.sin()
    maps = torch.stack([cos, -sin, across, sin, cos, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
