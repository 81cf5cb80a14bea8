"""Random numbers of cells, from a seed: a chip is remembered by its seeds.

They are drawn in bands of cells, always the same ones, so that a large array needs them only band
by band. As operations of torch, they can be part of a compiled graph.
"""

from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor

from ..tracing import is_observed

WHOLE = 1 << 19
"""Up to so many, cells are one band."""

BAND = 1 << 16
"""About how many cells a band of more has."""


Band = slice | EllipsisType
"""Outputs of cells; all there is of a layer with one cell is ``...``."""


def bands(shape: Sequence[int]) -> list[Band]:
    """The outputs of cells of ``shape`` (out, ...), in bands."""
    outputs, per_output = shape[0], torch.Size(shape[1:]).numel()
    size = outputs if outputs * per_output <= WHOLE else BAND // per_output
    size = max(1, size)
    return [slice(k, min(k + size, outputs)) for k in range(0, max(1, outputs), size)]


def drawn(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    """Numbers of unit variance, or uniform in [0, 1), float32, for ``place`` on a chip.

    The generator of torch's CPU, whatever the device, so that a seed names one chip.
    """
    return (_recorded_draw if is_observed() else _draw)(seed, place, shape, uniform)


def _draw(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    draw = torch.rand if uniform else torch.randn
    return draw(shape, generator=_generator(seed, place)).to(seed.device)


# torch 2.4 and 2.5 cannot tell a schema from collections.abc.Sequence.
_recorded_draw = torch.library.custom_op(
    "snntorch_memristive::drawn",
    _draw,
    mutates_args=(),
    schema="(Tensor seed, int place, SymInt[] shape, bool uniform) -> Tensor",
)
"""The same as one operation, for whoever records or vectorises; each call takes 0.1 ms more."""


@_recorded_draw.register_fake
def _(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    return seed.new_empty(shape, dtype=torch.float32)


@torch.library.custom_op("snntorch_memristive::drawn_until_close", mutates_args=())
def drawn_until_close(
    seed: Tensor, place: int, state: Tensor, width: Tensor, tolerance: float, writes: int
) -> Tensor:
    """Numbers of unit variance, drawn again where a cell ends up beyond ``tolerance``.

    A cell asked for ``state`` gets ``width`` times its number more, inside [0, 1], and is written
    ``writes`` times at most. The last dimension of the result has the number, how often the cell
    was written again, and whether it was missed all the same.
    """
    generator, state, width = _generator(seed, place), state.cpu(), width.cpu()
    draw = torch.randn(state.shape, generator=generator)
    repeats = torch.zeros(state.shape)

    def outside() -> Tensor:
        return ((state + draw * width).clamp(0, 1) - state).abs() > tolerance

    for _ in range(writes - 1):
        again = outside()
        # All are drawn: what one cell gets must not depend on what became of the others.
        draw = torch.where(again, torch.randn(state.shape, generator=generator), draw)
        repeats += again
    return torch.stack([draw, repeats, outside().to(draw)], -1).to(seed.device)


@drawn_until_close.register_fake
def _(
    seed: Tensor, place: int, state: Tensor, width: Tensor, tolerance: float, writes: int
) -> Tensor:
    return seed.new_empty((*state.shape, 3), dtype=torch.float32)


def _generator(seed: Tensor, place: int) -> torch.Generator:
    return torch.Generator().manual_seed(_mixed(int(seed) + place * 0x9E3779B97F4A7C15))


def _mixed(x: int) -> int:
    """32 bits, as many as the generator takes, that all bits of ``x`` have changed (splitmix64)."""
    mask = (1 << 64) - 1
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) & 0xFFFFFFFF
