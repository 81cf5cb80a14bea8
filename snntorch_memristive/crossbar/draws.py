"""Random numbers of cells, from a seed: a chip is remembered by its seeds.

They are drawn in bands of cells, always the same ones, so that a large array needs them only band
by band. As operations of torch, they can be part of a compiled graph.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

WHOLE = 1 << 19
"""Up to so many, cells are one band."""

BAND = 1 << 16
"""About how many cells a band of more has."""


def bands(shape: Sequence[int]) -> list[slice]:
    """The outputs of cells of ``shape`` (out, ...), in bands."""
    outputs, per_output = shape[0], torch.Size(shape[1:]).numel()
    size = outputs if outputs * per_output <= WHOLE else BAND // per_output
    size = max(1, size)
    return [slice(k, min(k + size, outputs)) for k in range(0, max(1, outputs), size)]


@torch.library.custom_op("snntorch_memristive::drawn", mutates_args=())
def drawn(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    """Numbers of unit variance, or uniform in [0, 1), float32, for ``place`` on a chip.

    The generator of torch's CPU, whatever the device, so that a seed names one chip.
    """
    draw = torch.rand if uniform else torch.randn
    return draw(shape, generator=_generator(seed, place)).to(seed.device)


@drawn.register_fake
def _(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    return seed.new_empty(shape, dtype=torch.float32)


@torch.library.custom_op("snntorch_memristive::drawn_until_close", mutates_args=())
def drawn_until_close(
    seed: Tensor, place: int, width: Tensor, tolerance: float, writes: int
) -> Tensor:
    """Numbers of unit variance, drawn again where ``width`` times them is beyond ``tolerance``.

    ``writes`` draws per cell at most, as write-and-verify does.
    """
    return verified(seed, place, width, tolerance, writes)[0]


@drawn_until_close.register_fake
def _(seed: Tensor, place: int, width: Tensor, tolerance: float, writes: int) -> Tensor:
    return seed.new_empty(width.shape, dtype=torch.float32)


def verified(
    seed: Tensor, place: int, width: Tensor, tolerance: float, writes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`drawn_until_close`, and of every cell how often it was drawn again, and missed."""
    generator, width = _generator(seed, place), width.cpu()
    draw = torch.randn(width.shape, generator=generator)
    repeats = torch.zeros(width.shape, dtype=torch.int32)
    for _ in range(writes - 1):
        again = (draw * width).abs() > tolerance
        draw[again] = torch.randn(int(again.sum()), generator=generator)
        repeats += again
    missed = (draw * width).abs() > tolerance
    return draw.to(seed.device), repeats, missed


def _generator(seed: Tensor, place: int) -> torch.Generator:
    return torch.Generator().manual_seed(_mixed(int(seed) + place * 0x9E3779B97F4A7C15))


def _mixed(x: int) -> int:
    """32 bits, as many as the generator takes, that all bits of ``x`` have changed (splitmix64)."""
    mask = (1 << 64) - 1
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) & 0xFFFFFFFF
