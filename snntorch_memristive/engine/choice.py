"""Which engine can take a neuron through time?"""

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ..functional import Dynamics
from ..tracing import is_wrapped
from .op import key_of
from .program import trace


def kernel_key(dynamics: Dynamics) -> str:
    """What a kernel of ``dynamics`` is called; empty if there can be none."""
    return key_of(dynamics) if _has_numba() and _is_traceable(dynamics) else ""


def choose_engine(key: str, input_: Tensor) -> str:
    """ "numba" if the kernels called ``key`` can take tensors like ``input_``, else "eager"."""
    is_plain = type(input_) in (Tensor, nn.Parameter) and not is_wrapped(input_)
    if not (key and (is_plain or torch.compiler.is_compiling())):
        return "eager"
    is_known = input_.device.type == "cpu" and input_.dtype in (torch.float32, torch.float64)
    return "numba" if is_known else "eager"


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


@cache
def _is_traceable(dynamics: Dynamics) -> bool:
    try:
        trace(dynamics)
    except Exception:  # whatever it is, the eager engine runs it, or says better what is wrong
        return False
    return True
