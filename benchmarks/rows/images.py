"""Images and event recordings, and images as they are shown in training: moved, mirrored."""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from snntorch_memristive import data
from snntorch_memristive.data import Images

from . import events
from .events import RECORDINGS
from .row import Recipe


def load(name: str, data_root: str | Path | None = None) -> Images:
    """Images by :func:`snntorch_memristive.data.load`, recordings by :func:`.events.load`.

    Raises:
        FileNotFoundError: as these do.
        ImportError: likewise.
    """
    return events.load(name, data_root) if name in RECORDINGS else data.load(name, data_root)


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
