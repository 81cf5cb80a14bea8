"""Random numbers of cells, from a seed: a chip is remembered by its seeds.

They are those of :mod:`snntorch_memristive.philox`, in bands of cells, always the same ones, so
that a large array needs them only band by band. As operations of torch, they can be part of a
compiled graph.
"""

from collections.abc import Sequence
from types import EllipsisType

import torch
from torch import Tensor

from .. import philox
from ..engine import is_usable
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
    """Numbers of unit variance, or uniform in [0, 1), float32, for ``place`` on a chip."""
    return (_recorded_draw if is_observed() else _draw)(seed, place, shape, uniform)


def _draw(seed: Tensor, place: int, shape: Sequence[int], uniform: bool) -> Tensor:
    return _numbers(seed, place, shape, uniform).to(seed.device)


def _numbers(
    seed: Tensor, place: int, shape: Sequence[int], uniform: bool = False, turn: int = 0
) -> Tensor:
    """Those of ``philox.numbers``, on the CPU."""
    asked = int(seed), place, torch.Size(shape).numel(), uniform, turn
    if is_usable("llvmlite"):
        from ..engine.philox import numbers

        return numbers(*asked).reshape(shape)
    return torch.from_numpy(philox.numbers(*asked)).reshape(shape)


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
    device, state, width = seed.device, state.cpu(), width.cpu()
    draw = _numbers(seed, place, state.shape)
    repeats = torch.zeros_like(draw)

    def outside() -> Tensor:
        return ((state + draw * width).clamp(0, 1) - state).abs() > tolerance

    for turn in range(1, writes):
        again = outside()
        # All are drawn: what one cell gets must not depend on what became of the others.
        draw = torch.where(again, _numbers(seed, place, state.shape, turn=turn), draw)
        repeats += again
    return torch.stack([draw, repeats, outside().to(draw)], -1).to(device)


@drawn_until_close.register_fake
def _(
    seed: Tensor, place: int, state: Tensor, width: Tensor, tolerance: float, writes: int
) -> Tensor:
    return seed.new_empty((*state.shape, 3), dtype=torch.float32)
