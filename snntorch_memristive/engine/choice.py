"""Which engine can take a neuron through time?"""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ..functional import Dynamics
from ..tracing import is_wrapped
from .op import key_of
from .program import trace

ENGINES = {"cpu": "numba", "cuda": "triton"}
"""Who compiles the kernels of a type of device; also the name of the package."""

DTYPES = {"cpu": (torch.float32, torch.float64), "cuda": (torch.float32,)}
"""What kernels can compute in."""


def kernel_keys(dynamics: Dynamics) -> dict[str, str]:
    """What the kernel of ``dynamics`` is called, by the types of device that can have one."""
    if not _is_traceable(dynamics):
        return {}
    key = key_of(dynamics)
    return {device: key for device, package in ENGINES.items() if find_spec(package)}


def choose_engine(keys: Mapping[str, str], input_: Tensor) -> str:
    """ "numba" or "triton" if one of ``keys`` can take tensors like ``input_``, else "eager"."""
    is_compiling = torch.compiler.is_compiling()
    is_plain = type(input_) in (Tensor, nn.Parameter) and not is_wrapped(input_)
    device = input_.device.type
    if device not in keys or not (is_plain or is_compiling) or (is_compiling and not keys[device]):
        return "eager"
    return ENGINES[device] if input_.dtype in DTYPES[device] else "eager"


@cache
def _is_traceable(dynamics: Dynamics) -> bool:
    try:
        trace(dynamics)
    except Exception:  # whatever it is, the eager engine runs it, or says better what is wrong
        return False
    return True
