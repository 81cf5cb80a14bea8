"""Which engine can take a neuron through time?"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from ..functional import Dynamics
from ..tracing import has_memory, has_tangents, is_watched, is_wrapped
from .op import key_of
from .program import trace

ENGINES = {"cpu": "llvmlite", "cuda": "triton"}
"""Who compiles the kernels of a type of device."""

NEEDED = {"llvmlite": ("llvmlite.binding", "create_pass_builder"), "triton": ("triton", "jit")}
"""A module of each, and what it has if it is new enough."""

DTYPES = {"cpu": (torch.float32, torch.float64), "cuda": (torch.float32,)}
"""What kernels can compute in."""


def kernel_keys(dynamics: Dynamics) -> dict[str, str]:
    """What the kernel of ``dynamics`` is called, by the types of device that can have one."""
    if untraceable(dynamics) is not None:
        return {}
    usable = [device for device, package in ENGINES.items() if is_usable(package)]
    return dict.fromkeys(usable, key_of(dynamics))


def choose_engine(keys: Mapping[str, str], dtype: torch.dtype, tensors: Sequence[Tensor]) -> str:
    """Who has a kernel, of those called ``keys``, for ``tensors`` and ``dtype``; or "eager"."""
    device = tensors[0].device
    if device.type not in keys or dtype not in DTYPES[device.type]:
        return "eager"
    if any(tensor.device != device for tensor in tensors) or has_tangents():
        return "eager"
    if torch.compiler.is_compiling():
        return ENGINES[device.type] if keys[device.type] else "eager"
    if is_watched():
        return "eager"
    return ENGINES[device.type] if all(map(_is_plain, tensors)) else "eager"


def _is_plain(tensor: Tensor) -> bool:
    """Is there memory behind ``tensor``, and may autograd keep it?"""
    if not has_memory(tensor):
        return False
    return not (is_wrapped(tensor) or (tensor.is_inference() and torch.is_grad_enabled()))


@cache
def is_usable(package: str) -> bool:
    """Can kernels be compiled by ``package``, one of :data:`NEEDED`?"""
    name, attribute = NEEDED[package]
    try:
        return hasattr(import_module(name), attribute)
    except (ImportError, OSError):  # not there, or not for these versions of the others
        return False


def untraceable(dynamics: Dynamics) -> str | None:
    """Why no kernel can be made of the equations of ``dynamics``; None if one can."""
    try:
        trace(dynamics, (), False)
    except Exception as error:  # one that cannot be hashed; or eager says better what is wrong
        return f"{type(error).__name__}: {error}"
    return None
