"""A neuron through time on a kernel, differentiable."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..functional import Dynamics
from ..relaxation import State
from .kernel import Kernel, kernel
from .op import steps


def run(
    dynamics: Dynamics,
    input_: Tensor,  # shape: (time, *neurons), or (*neurons) for one step
    mem: Tensor,  # shape: (*neurons)
    memristors: State,  # shapes: (*neurons)
    coefficients: Mapping[str, Tensor],  # shapes: broadcastable to (*neurons)
    key: str,
) -> tuple[Tensor, Tensor | None, State, State]:
    """``mem``, ``spk`` (None for the binary output), what is recorded, and the states after.

    Equal to ``dynamics`` step by step, to the rounding of the dtype (float32 or float64); in
    float32, a logistic below 3e-10 may be anything down to 0. Rounding is amplified with what it is
    part of, and a comparison of two formulas that are equal but for it may go either way.
    For what :func:`choose_engine` does not call "eager"; ``key`` is that of ``dynamics``.
    """
    coefficients = {name: coefficients[name] for name in dynamics.coefficients}  # in their order
    learned: tuple[str, ...] = ()
    if torch.is_grad_enabled():
        learned = tuple(name for name, value in coefficients.items() if value.requires_grad)
    values = [
        value.expand(mem.shape).contiguous() if value.dim() else value
        for value in coefficients.values()
    ]
    before = [mem, *memristors.values()]
    if torch.compiler.is_compiling():
        store = torch.is_grad_enabled()
        *record, _ = steps(input_, before, values, key, ",".join(learned), store)
        record[0] = record[0].clone()  # states can travel with it, not with part of a list
    else:
        per_neuron = frozenset(name for name, value in coefficients.items() if value.dim())
        made = kernel(dynamics, per_neuron, learned, input_.dtype, input_.device.type)
        tensors = [tensor.contiguous() for tensor in (input_, *before)]
        record = _Run.apply(made, *tensors, *values)
    record = iter(record)
    mem = next(record)
    spk = None if dynamics.spike == "binary" else next(record)
    recorded = {name: next(record) for name in dynamics.recorded}
    return mem, spk, recorded, dict(zip(memristors, record, strict=True))


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, made: Kernel, input_: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        count = len(made.plan.carried)
        before, coefficients = tensors[:count], tensors[count:]
        *record, stored = made.forward(input_, before, coefficients, any(ctx.needs_input_grad))
        ctx.made = made
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(input_, *tensors, stored)
        return tuple(record)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        made = ctx.made
        input_, *tensors, stored = ctx.saved_tensors
        count = len(made.plan.carried)
        before, coefficients = tensors[:count], tensors[count:]
        if torch.is_grad_enabled():  # somebody wants a derivative of this derivative
            return None, *_eager_backward(made.dynamics, input_, before, coefficients, grads)
        by_input, *by = made.backward(input_, before, coefficients, stored, grads)
        learned = dict(zip(made.plan.learned, by[count:], strict=True))
        return None, by_input, *by[:count], *(learned.get(n) for n in made.plan.coefficients)


def _eager_backward(
    dynamics: Dynamics,
    input_: Tensor,
    before: list[Tensor],
    coefficients: list[Tensor],
    grads: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """Derivatives through the steps as they are stated, which can be derived again."""
    # By aliases, none of which hangs on another, as what they are aliases of may.
    wanted = [tensor.view_as(tensor) for tensor in (input_, *before, *coefficients)]
    input_, before = wanted[0], wanted[1 : 1 + len(before)]
    coefficients = wanted[1 + len(before) :]
    one_step = input_.dim() == before[0].dim()
    mem, states = before[0], dict(zip(dynamics.memristors, before[1:], strict=True))
    named = dict(zip(dynamics.coefficients, coefficients, strict=True))
    record = []
    for current in [input_] if one_step else input_:
        mem, states = dynamics.advance(current, mem, states, named)
        spk = () if dynamics.spike == "binary" else (dynamics.send(mem, named),)
        record.append((mem, *spk, *dynamics.record(states, named).values()))
    stacked = [torch.stack(r) for r in zip(*record, strict=True)]
    outputs = [*([r[0] for r in stacked] if one_step else stacked), *states.values()]
    pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None]
    asked = [tensor for tensor in wanted if tensor.requires_grad]
    reached, arrived = zip(*pairs, strict=True)
    parts = iter(torch.autograd.grad(reached, asked, arrived, create_graph=True, allow_unused=True))
    return tuple(next(parts) if tensor.requires_grad else None for tensor in wanted)
