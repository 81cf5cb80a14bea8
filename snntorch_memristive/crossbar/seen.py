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
    plain = _plain(tensor)
    is_real = tensor.is_floating_point() and tensor.element_size() > 1
    if plain is None or not (is_real and is_usable("llvmlite")):
        copy = tensor.detach().clone()

        def is_equal(now: Tensor) -> bool:
            is_alike = now.dtype == copy.dtype and now.device == copy.device
            return is_alike and torch.equal(now, copy)

        return is_equal
    from ..engine.fingerprint import fingerprint

    dtype, shape, found = tensor.dtype, tensor.shape, fingerprint(plain)

    def is_still(now: Tensor) -> bool:
        plain = _plain(now)
        if plain is None or now.dtype != dtype or now.shape != shape:
            return False
        return fingerprint(plain) == found

    return is_still


def _plain(tensor: Tensor) -> Tensor | None:
    """``tensor`` with its numbers in memory one behind the other, if the CPU can have them so."""
    if tensor.is_cpu and has_memory(tensor) and tensor.is_contiguous():
        return tensor
    if not (tensor.is_cpu and tensor.layout is torch.strided):
        return None
    plain = tensor.detach().resolve_neg().contiguous()
    return plain if has_memory(plain) else None
