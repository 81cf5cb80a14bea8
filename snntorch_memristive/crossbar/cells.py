"""Weights by way of their cells: what is asked of them, and what they are."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..devices import RRAM
from ..engine import is_usable
from ..tracing import has_memory, has_tangents, is_observed
from .effects import programmed, quantise
from .mapping import clip, from_pair, pair_of

if TYPE_CHECKING:
    from ..engine.rows import RowFunction

WORTH = 1_024
"""Weights of a layer below which a loop of their own is not worth compiling."""


def halves_asked(
    weight: Tensor,  # shape: (*cells)
    rram: RRAM,
    w_max: Tensor,  # shape: ()
    mapping: str,
    is_clipped: bool,
) -> tuple[Tensor, Tensor]:  # shapes: (*cells), S
    """Conductances of both halves that are to be written, at the device's levels."""
    if is_clipped:
        weight = clip(weight, w_max)
    own, subtracted = pair_of(weight, rram, w_max, mapping)
    return quantise(own, rram), quantise(subtracted, rram)


def loop_for(
    weight: Tensor, rram: RRAM, mapping: str, is_clipped: bool, effects: tuple[str, ...]
) -> "RowFunction | None":
    """All that happens to ``weight`` on the way through its cells, compiled.

    With ``effects`` drawn. None where torch's operations have to do it one after the other.
    """
    is_readable = has_memory(weight) and weight.is_cpu and weight.dtype == torch.float32
    if not (is_readable and is_usable("llvmlite")):
        return None
    if is_observed() or has_tangents():
        return None
    try:
        return _loop(rram, mapping, is_clipped, effects, weight.requires_grad)
    except TypeError:  # a device that cannot be hashed
        return None


def through_cells(
    loop: "RowFunction",
    weight: Tensor,  # shape: (*cells)
    w_max: Tensor,  # shape: ()
    draws: Mapping[str, Tensor],  # shapes: (2, *cells)
    folds: Tensor | float,  # shape: ()
    writes: Tensor | int,  # shape: ()
) -> Tensor:  # shape: (*cells)
    """What ``from_pair`` of the ``programmed`` halves is, differentiable, by :func:`loop_for`."""
    rows = {"weight": weight}
    rows |= {_row(effect, k): half for effect, draw in draws.items() for k, half in enumerate(draw)}
    return loop(rows, {"w_max": float(w_max), "folds": float(folds), "writes": float(writes)})


@lru_cache(64)
def _loop(
    rram: RRAM, mapping: str, is_clipped: bool, effects: tuple[str, ...], is_learned: bool
) -> "RowFunction | None":
    """None if a device of the user's own does what no loop can."""
    from ..engine.rows import RowFunction

    def weight_through(weight: Any, w_max: Any, folds: Any, writes: Any, **draws: Any) -> Any:
        asked = halves_asked(weight, rram, w_max, mapping, is_clipped)
        halves = [
            programmed(half, rram, {e: draws[_row(e, k)] for e in effects}, folds, writes)
            for k, half in enumerate(asked)
        ]
        return from_pair(halves, rram, w_max, mapping)

    rows = ["weight", *(_row(effect, k) for effect in effects for k in range(2))]
    variable = "weight" if is_learned else None
    try:
        return RowFunction(weight_through, rows, ("w_max", "folds", "writes"), variable)
    except Exception:  # whatever a device does to a number; torch says better what is wrong
        return None


def _row(effect: str, half: int) -> str:
    return f"{effect}_{half}"
