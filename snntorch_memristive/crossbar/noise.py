"""Noise of a read, as its variance at the outputs of an array.

Independent normal noise in every cell adds up to normal noise at the output, of exactly the
variance that is worked out here. Drawing it there costs no copy of the array per read.
"""

from collections.abc import Callable

from torch import Tensor

from ..devices import RRAM
from .array import Array
from .effects import read_variance

DRIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "square": lambda input_: input_**2,
    "size": lambda input_: input_.abs(),
    "always": lambda input_: input_ * 0 + 1,
}
"""What of an input a variance is in proportion to."""


def cell_variances(
    g: Tensor,  # shape: (2, *cells), S
    rram: RRAM,
    array: Array,
) -> dict[str, Tensor]:  # shapes: (2, *cells); (1, *cells) if both cells are one output's own
    """Variances (S^2, in units of the read voltage) of cells, by what they are in proportion to."""
    found = {"square": read_variance(g, rram)} if rram.has_read_noise else {}
    if array.bandwidth:
        found |= {"size": array.shot_variance(g), "always": array.thermal_variance(g)}
    if array.mapping == "differential":
        return {drive: variance.sum(0, keepdim=True) for drive, variance in found.items()}
    return found
