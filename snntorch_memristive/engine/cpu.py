"""Kernels for the CPU, compiled by numba."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..functional import Dynamics
from . import arithmetic, arithmetic64, memory
from .cache import load
from .layout import Layout
from .source import generate

WORTH_A_THREAD = 40_000
"""Sub-steps of neurons below which handing them to a second thread costs more than it saves."""

ALIGNED = 16
"""Neurons of a share come in this many, so that vectors are full."""


def compiled(dynamics: Dynamics, plan: Layout, dtype: torch.dtype) -> Callable[..., None]:
    """``launch(direction, neurons, steps, tensors)`` of the kernel, as Kernel wants it."""
    text = generate(dynamics, plan, str(dtype).removeprefix("torch."))
    module = load(text, (arithmetic, arithmetic64, memory))
    functions = {"forward": module.forward, "backward": module.backward}

    def launch(direction: str, neurons: int, steps: int, tensors: Sequence[Tensor | None]) -> None:
        addresses = tuple([0 if tensor is None else tensor.data_ptr() for tensor in tensors])
        work = neurons * steps * plan.substeps
        if share(functions[direction], neurons, work, neurons, steps, addresses):
            raise ValueError("Expected a finite `input_`, but it contains NaN or infinity.")

    return launch


def share(function: Callable[..., bool], neurons: int, work: int, *args: Any) -> bool:
    """Call ``function(begin, end, *args)`` for all neurons, on as many threads as torch uses.

    Returns whether any of the calls returned True.
    """
    threads = min(torch.get_num_threads(), work // WORTH_A_THREAD, neurons // ALIGNED)
    if threads <= 1:
        return function(0, neurons, *args)
    size = -(-neurons // (threads * ALIGNED)) * ALIGNED
    shares = [(k, min(k + size, neurons)) for k in range(0, neurons, size)]
    others = [_pool(os.getpid(), threads - 1).submit(function, *s, *args) for s in shares[1:]]
    answers = [function(*shares[0], *args), *(other.result() for other in others)]
    return any(answers)


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this ``process``; those of the one that it was forked from are not there."""
    return ThreadPoolExecutor(threads, thread_name_prefix="snntorch_memristive")
