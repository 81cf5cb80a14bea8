"""How a weight becomes the conductances of two cells, and back.

The first dimension of ``g`` (S) is (the cell, what is subtracted from it), the rest is the shape
of the weight, whose first dimension are the outputs.

- "differential": two cells of its own for every weight, one of which is off.
- "offset": one cell for every weight, in the middle of the window at 0, and one column of
  reference cells there, which is subtracted from all columns of an array. It takes half of the
  cells, and half of the window for a sign.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..devices import RRAM
from ..units import Number
from .effects import straight_through

MAPPINGS = ("differential", "offset")
"""What an array's ``mapping=`` takes."""


def to_pair(
    weight: Tensor,  # shape: (*cells)
    rram: RRAM,
    w_max: Tensor,  # shape: ()
    mapping: str = "differential",
) -> Tensor:  # shape: (2, *cells), S
    """Conductances of the pairs, for weights in [-w_max, w_max], which fill the window."""
    return torch.stack(pair_of(weight, rram, w_max, mapping))


def pair_of(
    weight: Tensor, rram: RRAM, w_max: Tensor, mapping: str = "differential"
) -> tuple[Tensor, Tensor]:
    """The conductances (S) of both halves, as :func:`to_pair`."""
    half = weight * (w_max.reciprocal() * ((rram.g_on - rram.g_off) / 2))
    if mapping == "offset":
        middle = (rram.g_on + rram.g_off) / 2
        return half + middle, torch.zeros_like(half) + middle
    # Halves of |w| +- w and no clamp: its derivative at a weight of exactly 0 would not be 1.
    size = half.abs()
    return size + half + rram.g_off, size - half + rram.g_off


def from_pair(
    g: Tensor | Sequence[Tensor],  # shape: (2, *cells), S
    rram: RRAM,
    w_max: Tensor,  # shape: ()
    mapping: str = "differential",
) -> Tensor:  # shape: (*cells)
    """Weights that the pairs stand for: the inverse of :func:`to_pair`."""
    own, subtracted = g
    return (own - subtracted) * weight_per_siemens(rram, w_max, mapping)


def weight_per_siemens(rram: RRAM, w_max: Number, mapping: str) -> Number:
    """Gain of the read-out: weight that a difference of conductances stands for (1/S).

    ``w_max`` is the weight that fills the window, a number or a tensor of any shape.
    """
    return w_max * ((2 if mapping == "offset" else 1) / (rram.g_on - rram.g_off))


def counted_once(
    cells: Tensor,  # shape: (2, out, ...)
    groups: int = 1,
) -> Tensor:  # shape: (2, out, ...)
    """What belongs to cells, with references that stand for the first one's as zeros."""
    own, reference = cells.unflatten(1, (groups, -1))
    others = torch.zeros_like(reference[:, 1:])
    return torch.stack([own, torch.cat([reference[:, :1], others], 1)]).flatten(1, 2)


def clip(weight: Tensor, w_max: Tensor) -> Tensor:
    """``weight`` (any shape) held inside [-w_max, w_max], of a shape that broadcasts.

    The gradient passes straight through, so that a weight can return.
    """
    return straight_through(weight.detach().clamp(-w_max, w_max), weight)
