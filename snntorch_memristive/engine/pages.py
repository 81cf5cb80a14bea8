"""Large pages for large results."""

import ctypes
import mmap
import sys
from collections.abc import Callable
from functools import cache

from torch import Tensor

LARGE = 1 << 21
"""Bytes of a large page."""

FRESH = 1 << 25
"""Bytes from which glibc always takes memory that was never touched: its largest threshold. Every
small page of it would cost a visit to the kernel, together more than the work on it."""


def enlarge(tensors: list[Tensor]) -> list[Tensor]:
    """``tensors``, nothing of which has been written yet, on large pages where that pays.

    A wish, which Linux may refuse.
    """
    advise = _madvise()
    for tensor in tensors:
        size = tensor.nbytes
        if advise is not None and size >= FRESH and tensor.device.type == "cpu":
            start = -(-tensor.data_ptr() // LARGE) * LARGE
            end = (tensor.data_ptr() + size) // LARGE * LARGE
            advise(start, end - start, mmap.MADV_HUGEPAGE)
    return tensors


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
