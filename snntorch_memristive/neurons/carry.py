"""Memristor states that travel with the membrane potential.

snnTorch hands one tensor, ``mem``, from step to step. The memristor states have to go where it
goes: through two streams that share one neuron, through ``mem = mem.detach()``, and back to
rest with a fresh ``mem``. So they are kept on the tensor itself, and on its storage, which
``detach()`` shares. ``torch.compile`` sees the tensor's attribute only: there,
``mem.detach_()`` keeps the states and ``mem.detach()`` starts the memristors from rest.
"""

import torch
from torch import Tensor

from ..relaxation import State
from ..tracing import is_traced


def attach(mem: Tensor, states: State) -> None:
    """Let ``states`` travel with ``mem``, a tensor that nobody else holds yet."""
    storage = _storage(mem)
    # Tensors take attributes of anybody; their types know none of it.
    mem.memristors = (states, mem.requires_grad, storage is not None)  # type: ignore[attr-defined]
    if storage is not None:
        record = states, mem.requires_grad, _version(mem), _layout(mem)
        storage.memristors = record  # type: ignore[attr-defined]


def carried(mem: Tensor) -> State | None:
    """The states that travel with ``mem``; None if it is hand-made, or edited since.

    They are cut from the graph if ``mem`` has been (``detach``, ``detach_``).
    """
    record = _record(mem)
    if record is None:
        return None
    states, had_grad = record
    if had_grad and (mem.is_leaf or not mem.requires_grad):
        return {name: state.detach() for name, state in states.items()}
    return states


def _record(mem: Tensor) -> tuple[State, bool] | None:
    storage = _storage(mem)
    stored = getattr(storage, "memristors", None)
    if stored is None:
        states, had_grad, has_storage = getattr(mem, "memristors", (None, False, False))
        # What was returned with a record on its storage has been given other data since.
        other_data = has_storage and storage is not None
        return None if states is None or other_data else (states, had_grad)
    states, had_grad, version, layout = stored
    unedited = version == _version(mem) and layout == _layout(mem)
    return (states, had_grad) if unedited else None


def _storage(mem: Tensor) -> torch.UntypedStorage | None:
    return None if is_traced(mem) else mem.untyped_storage()


def _version(mem: Tensor) -> int | None:
    return None if mem.is_inference() else mem._version


def _layout(mem: Tensor) -> tuple:
    return mem.dtype, mem.shape, mem.stride(), mem.storage_offset()
