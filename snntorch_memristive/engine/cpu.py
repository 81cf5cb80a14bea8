"""Kernels for the CPU, compiled by LLVM."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional import Dynamics
from .layout import Layout
from .machine import loaded
from .source import TASK, generate
from .threads import call
from .workspace import BLOCK

WORTH_A_THREAD = 2_000
"""Sub-steps of neurons below which handing them to a second thread costs more than it saves."""

ALIGNED = 16
"""Neurons that are taken at once come in this many, so that vectors are full."""


def compiled(dynamics: Dynamics, plan: Layout, dtype: torch.dtype) -> Callable[..., None]:
    """``launch(direction, neurons, steps, tensors)`` of the kernel, as Kernel wants it."""
    number = str(dtype).removeprefix("torch.")

    @cache
    def function(direction: str) -> tuple[Any, int, int]:  # compiled when it is first needed
        text, size = generate(dynamics, plan, number, direction)
        engine = loaded(text)
        return engine, engine.get_function_address(direction), size

    def launch(direction: str, neurons: int, steps: int, tensors: Sequence[Tensor | None]) -> None:
        threads = min(torch.get_num_threads(), neurons * steps * plan.substeps // WORTH_A_THREAD)
        threads = max(1, min(threads, neurons // ALIGNED))
        block = min(BLOCK, -(-neurons // (threads * ALIGNED)) * ALIGNED)
        _, start, size = function(direction)
        work = np.empty(threads * size, number)
        stated = {"n": neurons, "steps": steps, "block": block, "work": work.ctypes.data}
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
        task = (ctypes.c_int64 * (len(TASK) + len(addresses)))(
            *(stated.get(name, 0) for name in TASK), *addresses
        )
        call(start, task, threads)
        if task[TASK.index("nonsense")]:
            raise ValueError("Expected a finite `input_`, but it contains NaN or infinity.")

    return launch
