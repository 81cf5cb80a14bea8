"""What the noise of a read is made of, cell by cell.

Independent normal noise in every cell adds up to normal noise at the output, and only that is
drawn: it costs no copy of the array per read.
"""

from torch import Tensor

from ..devices import RRAM
from .array import Array
from .effects import read_variance


def of_cells(
    g: Tensor,  # shape: (2, *cells), S
    rram: RRAM,
    array: Array,
) -> dict[str, Tensor]:  # shapes: (2, *cells); (1, *cells) if both cells are one output's own
    """Variance from read to read (S^2), and conductance (S) for thermal and shot noise."""
    found = {"variance": read_variance(g, rram)} if rram.has_read_noise else {}
    found |= {"g": g} if array.bandwidth else {}
    if array.mapping == "differential":
        return {kind: cells.sum(0, keepdim=True) for kind, cells in found.items()}
    return found
