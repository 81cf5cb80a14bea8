"""Kernels for the CPU, compiled by numba."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from numba import cfunc, types
from torch import Tensor

from ..functional import Dynamics
from . import arithmetic, arithmetic64, memory, sharing
from .cache import load
from .layout import Layout
from .source import TASK, generate
from .threads import call
from .workspace import BLOCK

WORTH_A_THREAD = 2_000
"""Sub-steps of neurons below which handing them to a second thread costs more than it saves."""

ALIGNED = 16
"""Neurons that are taken at once come in this many, so that vectors are full."""

_SIGNATURE = types.void(types.CPointer(types.int64))


def compiled(dynamics: Dynamics, plan: Layout, dtype: torch.dtype) -> Callable[..., None]:
    """``launch(direction, neurons, steps, tensors)`` of the kernel, as Kernel wants it."""
    text = generate(dynamics, plan, str(dtype).removeprefix("torch."))
    module = load(text, (arithmetic, arithmetic64, memory, sharing))

    @cache
    def function(direction: str) -> Any:  # compiled when it is first needed
        return cfunc(_SIGNATURE, cache=True)(getattr(module, direction))

    def launch(direction: str, neurons: int, steps: int, tensors: Sequence[Tensor | None]) -> None:
        threads = min(torch.get_num_threads(), neurons * steps * plan.substeps // WORTH_A_THREAD)
        threads = max(1, min(threads, neurons // ALIGNED))
        block = min(BLOCK, -(-neurons // (threads * ALIGNED)) * ALIGNED)
        stated = {"n": neurons, "steps": steps, "block": block}
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
        task = (ctypes.c_int64 * (len(TASK) + len(addresses)))(
            *(stated.get(name, 0) for name in TASK), *addresses
        )
        call(function(direction).address, task, threads)
        if task[TASK.index("done")] != neurons:  # what is raised in a kernel reaches nobody
            raise MemoryError("Expected memory for a kernel's work, but there is none left.")
        if task[TASK.index("nonsense")]:
            raise ValueError("Expected a finite `input_`, but it contains NaN or infinity.")

    return launch
