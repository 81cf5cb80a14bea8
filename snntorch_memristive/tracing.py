"""Is a tensor a real one, or is somebody recording or vectorising the code?"""

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_recorded() -> bool:
    """Does somebody record the operations that torch is given, or calculate without numbers?

    ``torch.compile``, ``torch.export``, ``make_fx``, ``FakeTensorMode`` and the like.
    """
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0


def has_tangents() -> bool:
    """Are derivatives carried forward, so that any tensor may have one?"""
    return forward_ad._current_level >= 0


def is_traced(tensor: Tensor) -> bool:
    """True where operations are recorded, and for the wrappers of ``torch.func`` (vmap, grad).

    Such a tensor may have no storage of its own, and its values cannot be looked at.
    """
    return is_recorded() or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def is_wrapped(tensor: Tensor) -> bool:
    """True for a wrapper of ``torch.func``, which must not outlive the call it was made for."""
    return not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(
        tensor
    )
