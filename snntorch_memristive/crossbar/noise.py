"""What the noise of a read is made of, cell by cell.

Independent normal noise in every cell adds up to normal noise at the output, and only that is
drawn: it costs no copy of the array per read.
"""

import math

import torch
from torch import Tensor

from ..devices import RRAM
from ..engine import is_usable
from ..tracing import has_memory
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


def can_be_compiled(*tensors: Tensor) -> bool:
    """Can :func:`of_rows` be had for ``tensors``, if nobody observes them?"""
    for tensor in tensors:
        if not (tensor.is_cpu and tensor.dtype == torch.float32 and has_memory(tensor)):
            return False
    return is_usable("llvmlite") and not torch.jit.is_tracing()


def of_rows(
    input_: Tensor,  # shape: (*, inputs), float32 on the CPU
    outputs: int,
    width: float,
    has_bias: bool,
) -> Tensor:  # shape: (*, outputs)
    """Normal noise, ``width`` wide for an input of norm 1, drawn with torch's generator.

    An input of 1 for the bias comes on top.
    """
    from ..engine.noise import read_noise

    seed = int(torch.randint(1 << 62, (), device="cpu"))
    *batch, inputs = input_.shape
    rows = input_.reshape(math.prod(batch), inputs)
    return read_noise(rows, outputs, width, float(has_bias), seed).reshape(*batch, outputs)
