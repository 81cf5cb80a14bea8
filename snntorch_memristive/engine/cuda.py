"""Kernels for CUDA, compiled by Triton."""

from collections.abc import Callable, Sequence

import torch
import triton
from torch import Tensor

from ..functional import Dynamics
from . import polynomials, triton_functions
from .cache import load
from .layout import Layout
from .triton_source import generate

BLOCK = 128
"""Neurons of one Triton program; their states stay in registers."""


def compiled(dynamics: Dynamics, plan: Layout, dtype: torch.dtype) -> Callable[..., None]:
    """``launch(direction, neurons, steps, tensors)`` of the kernel, as Kernel wants it."""
    text = generate(dynamics, plan)
    module = load(text, (triton_functions, polynomials))
    # A product that is fused with a sum is not rounded before it.
    fuses = not any(f" {name}(" in text for name in ("added", "subtracted"))
    functions = {"forward": module.forward, "backward": module.backward}

    def launch(direction: str, neurons: int, steps: int, tensors: Sequence[Tensor | None]) -> None:
        given = [t if t is not None and t.numel() else None for t in tensors]
        grid = (triton.cdiv(neurons, BLOCK),)
        functions[direction][grid](*given, neurons, steps, BLOCK=BLOCK, enable_fp_fusion=fuses)

    return launch
