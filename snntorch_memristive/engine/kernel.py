"""A kernel as torch sees it: tensors in, tensors out, with a derivative."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..functional import Dynamics
from .layout import Layout, layout
from .pages import enlarge


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
        results = enlarge(self.plan.forward_results(input_, before, store))
        steps, neurons = self.plan.extent(input_, before)
        if steps and neurons:
            self.launch("forward", neurons, steps, [input_, *before, *coefficients, *results])
        return results

    def backward(
        self,
        input_: Tensor,
        before: Sequence[Tensor],
        coefficients: Sequence[Tensor],
        stored: Tensor,
        grads: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """Derivatives by ``input_``, by ``before``, and by the learned coefficients."""
        results = enlarge(self.plan.backward_results(input_, before))
        grads = [None if g is None else g.contiguous() for g in grads]
        steps, neurons = self.plan.extent(input_, before)
        if steps and neurons:
            tensors = [input_, *before, *coefficients, stored, *grads, *results]
            self.launch("backward", neurons, steps, tensors)
        return self.plan.summed(results)


@cache
def kernel(
    dynamics: Dynamics,
    per_neuron: frozenset[str],
    learned: tuple[str, ...],
    dtype: torch.dtype,
    device: str,
) -> Kernel:
    """The kernel of ``dynamics`` for a type of device; made once.

    Raises:
        UntraceableError: if the circuit does what kernels cannot.
    """
    if device == "cuda":
        from .cuda import compiled
    else:
        from .cpu import compiled
    plan = layout(dynamics, per_neuron, learned, device)
    return Kernel(dynamics, plan, compiled(dynamics, plan, dtype))
