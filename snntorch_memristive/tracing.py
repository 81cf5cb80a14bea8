"""Is a tensor a real one, or is somebody recording or vectorising the code?"""

import torch
from torch import Tensor


def is_traced(tensor: Tensor) -> bool:
    """True under ``torch.compile`` and for the wrappers of ``torch.func`` (vmap, grad).

    Such a tensor has no storage of its own, and its values cannot be looked at.
    """
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def is_wrapped(tensor: Tensor) -> bool:
    """True for a wrapper of ``torch.func``, which must not outlive the call it was made for."""
    return not torch.compiler.is_compiling() and is_traced(tensor)
