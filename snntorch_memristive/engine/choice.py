"""Which engine can take a neuron through time?"""

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ..functional import Dynamics
from ..tracing import is_traced
from .program import trace


def choose_engine(dynamics: Dynamics, input_: Tensor) -> str:
    """ "numba" if a kernel can run ``dynamics`` on tensors like ``input_``, else "eager"."""
    if is_traced(input_) or type(input_) not in (Tensor, nn.Parameter):
        return "eager"
    if input_.device.type != "cpu" or input_.dtype not in (torch.float32, torch.float64):
        return "eager"
    return "numba" if _has_numba() and _is_traceable(dynamics) else "eager"


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
