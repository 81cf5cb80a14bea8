"""Kernels for the CPU, compiled by LLVM."""

from array import array
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

NONSENSE = TASK.index("nonsense")


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
        share = -(-neurons // (threads * ALIGNED)) * ALIGNED
        _, start, size = function(direction)
        work = np.empty(threads * size, number)  # on the CPU, whatever torch's default device is
        stated = [neurons, steps, min(BLOCK, share), share, threads, work.ctypes.data]
        task = array("q", stated + [0] * (len(TASK) - len(stated)))
        task.extend([0 if tensor is None else tensor.data_ptr() for tensor in tensors])
        task.extend([0] * threads)
        call(start, task.buffer_info()[0], threads)
        if task[NONSENSE]:
            raise ValueError("Expected a finite `input_`, but it contains NaN or infinity.")

    return launch
