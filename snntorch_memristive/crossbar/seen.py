"""What is kept of a tensor, to see later whether it has been written."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..engine import is_usable
from ..tracing import has_memory

Seen = Callable[[Tensor], bool]
"""Has a tensor the numbers of the one that was seen? Those of 0 and -0 are one and the same."""


def seen(tensor: Tensor) -> Seen:
    """What is kept of ``tensor``: its fingerprint, or, where nothing compiled reads it, a copy."""
    is_real = tensor.is_floating_point()
    if not (is_real and _can_be_read(tensor) and is_usable("llvmlite")):
        copy = tensor.detach().clone()

        def is_equal(now: Tensor) -> bool:
            is_alike = now.dtype == copy.dtype and now.device == copy.device
            return is_alike and torch.equal(now, copy)

        return is_equal
    from ..engine.fingerprint import fingerprint

    dtype, shape, found = tensor.dtype, tensor.shape, fingerprint(tensor)

    def is_still(now: Tensor) -> bool:
        is_alike = now.dtype == dtype and now.shape == shape and _can_be_read(now)
        return is_alike and fingerprint(now) == found

    return is_still


def _can_be_read(tensor: Tensor) -> bool:
    return has_memory(tensor) and tensor.is_cpu and tensor.is_contiguous()
