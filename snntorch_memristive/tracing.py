"""Is a tensor a real one, or is somebody recording or vectorising the code?"""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def is_traced(tensor: Tensor) -> bool:
    """True under ``torch.compile`` and for the wrappers of ``torch.func`` (vmap, grad).

    Such a tensor has no storage of its own, and its values cannot be looked at.
    """
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def is_wrapped(tensor: Tensor) -> bool:
    """True for a wrapper of ``torch.func``, which must not outlive the call it was made for."""
    return not torch.compiler.is_compiling() and is_traced(tensor)


def is_watched() -> bool:
    """Does somebody see every operation that torch is given (``make_fx``, ``FlopCounterMode``)?

    What a kernel does would escape them.
    """
    return not torch.compiler.is_compiling() and torch._C._len_torch_dispatch_stack() > 0


def has_memory(tensor: Tensor) -> bool:
    """Is what ``tensor`` holds in memory, number by number?

    Not so of other types (distributed, fake ones), of sparse ones, and of those that torch makes
    zeros of, or negates, when they are needed.
    """
    is_plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
    return is_plain and not (tensor._is_zerotensor() or tensor.is_neg())


def has_tangents() -> bool:
    """Are derivatives carried forward, so that any tensor may have one?"""
    return forward_ad._current_level >= 0


def is_observed() -> bool:
    """Does somebody record, watch or transform (``torch.func``) what is done here?"""
    if torch.compiler.is_compiling():  # which cannot look at the rest
        return True
    return is_watched() or torch._C._functorch.peek_interpreter_stack() is not None
