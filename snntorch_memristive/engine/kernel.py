"""A kernel as torch sees it: tensors in, tensors out, with a derivative."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import torch
from torch import Tensor

from ..functional import Dynamics
from .layout import Layout, layout


@dataclass(frozen=True, eq=False)
class Kernel:
    """Time steps of one kind of neuron, forward and backward, on flat memory."""

    dynamics: Dynamics
    plan: Layout
    launch: Callable[[str, int, int, Sequence[Tensor | None]], None]
    """Run it in a direction, on so many neurons and steps, on tensors in the plan's order."""

    def forward(
        self,
        input_: Tensor,  # shape: (time, *neurons), or (*neurons) for one step
        before: Sequence[Tensor],  # shapes: (*neurons); mem and the memristor states
        coefficients: Sequence[Tensor],  # shapes: () or (*neurons)
        store: bool,
    ) -> list[Tensor]:
        """What is recorded, like ``input_``; the memristor states after; states on the way.

        Raises:
            ValueError: if ``input_`` contains NaN or infinity.
        """
        steps, neurons = _extent(input_, before[0])
        record = [torch.empty_like(input_) for _ in self.plan.outputs]
        after = [torch.empty_like(before[0]) for _ in self.plan.memristors]
        chunks = (steps - 1) // self.plan.chunk if store else 0
        stored = input_.new_empty((max(chunks, 0), len(before), neurons))
        if steps and neurons:
            tensors = [input_, *before, *coefficients, *record, *after, stored]
            self.launch("forward", neurons, steps, tensors)
        return [*record, *after, stored]

    def backward(
        self,
        input_: Tensor,
        before: Sequence[Tensor],
        coefficients: Sequence[Tensor],
        stored: Tensor,
        grads: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """Derivatives by ``input_``, by ``before``, and by the learned coefficients."""
        steps, neurons = _extent(input_, before[0])
        grads = [None if g is None else g.contiguous() for g in grads]
        by = [torch.empty_like(input_), *(torch.empty_like(state) for state in before)]
        by_learned = [torch.empty_like(before[0]) for _ in self.plan.learned]
        if steps and neurons:
            tensors = [input_, *before, *coefficients, stored, *grads, *by, *by_learned]
            self.launch("backward", neurons, steps, tensors)
        scalars = [name not in self.plan.per_neuron for name in self.plan.learned]
        return by + [g.sum() if s else g for g, s in zip(by_learned, scalars, strict=True)]


def _extent(input_: Tensor, mem: Tensor) -> tuple[int, int]:
    """Number of time steps and of neurons."""
    steps = 1 if input_.dim() == mem.dim() else input_.shape[0]
    return steps, prod(mem.shape)


@cache
def kernel(
    dynamics: Dynamics,
    per_neuron: frozenset[str],
    learned: tuple[str, ...],
    dtype: torch.dtype,
    device: str = "cpu",
) -> Kernel:
    """The kernel of ``dynamics`` for a type of device; made once.

    Raises:
        UntraceableError: if the circuit does what kernels cannot.
    """
    if device == "cuda":
        from . import cuda as backend
    else:
        from . import cpu as backend
    plan = layout(dynamics, per_neuron, learned, device)
    return Kernel(dynamics, plan, backend.compiled(dynamics, plan, dtype))
