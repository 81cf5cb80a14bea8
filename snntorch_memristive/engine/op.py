"""Kernels as operations of torch, for ``torch.compile`` and ``torch.export``.

Those record a network before it runs and cannot look into a compiled kernel. An operation is
opaque to them: they are told its shapes and its derivative. ``key`` says which neuron it is
about, so that nothing has to be remembered between recording and running.
"""

import base64
import pickle
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..functional import Dynamics
from .kernel import Kernel, kernel
from .layout import Layout, layout


def key_of(dynamics: Dynamics) -> str:
    """``dynamics`` as a string; empty if it is of a class that only this process knows."""
    if type(dynamics.circuit).__module__ == "__main__":  # and that may be defined anew
        return ""
    try:
        return base64.b64encode(pickle.dumps(dynamics)).decode()
    except (pickle.PicklingError, AttributeError, TypeError):
        return ""


@cache
def _dynamics(key: str) -> Dynamics:
    return pickle.loads(base64.b64decode(key))


def _stated(
    key: str, coefficients: Sequence[Tensor], learned: str
) -> tuple[Dynamics, frozenset[str], tuple[str, ...]]:
    """A neuron, and which of its coefficients differ between neurons and which are learned."""
    dynamics = _dynamics(key)
    named = zip(dynamics.coefficients, coefficients, strict=True)
    per_neuron = frozenset(name for name, value in named if value.dim())
    return dynamics, per_neuron, tuple(learned.split(",")) if learned else ()


def _plan(key: str, coefficients: Sequence[Tensor], learned: str, input_: Tensor) -> Layout:
    return layout(*_stated(key, coefficients, learned), input_.device.type)


def _kernel(key: str, coefficients: Sequence[Tensor], learned: str, input_: Tensor) -> Kernel:
    return kernel(*_stated(key, coefficients, learned), input_.dtype, input_.device.type)


# torch 2.4 and 2.5 cannot tell a schema from collections.abc.Sequence.
@torch.library.custom_op(
    "snntorch_memristive::steps",
    mutates_args=(),
    schema="(Tensor input_, Tensor[] before, Tensor[] coefficients, str key, str learned,"
    " bool store) -> Tensor[]",
)
def steps(
    input_: Tensor,
    before: Sequence[Tensor],
    coefficients: Sequence[Tensor],
    key: str,
    learned: str,
    store: bool,
) -> list[Tensor]:
    """``Kernel.forward`` of the neuron ``key``, with comma-separated learned coefficients."""
    made = _kernel(key, coefficients, learned, input_)
    input_, *before = (tensor.contiguous() for tensor in (input_, *before))
    return made.forward(input_, before, coefficients, store)


@steps.register_fake
def _(
    input_: Tensor,
    before: Sequence[Tensor],
    coefficients: Sequence[Tensor],
    key: str,
    learned: str,
    store: bool,
) -> list[Tensor]:
    return _plan(key, coefficients, learned, input_).forward_results(input_, before, store)


@torch.library.custom_op(
    "snntorch_memristive::steps_backward",
    mutates_args=(),
    schema="(Tensor input_, Tensor[] before, Tensor[] coefficients, Tensor stored, Tensor[] grads,"
    " str key, str learned) -> Tensor[]",
)
def steps_backward(
    input_: Tensor,
    before: Sequence[Tensor],
    coefficients: Sequence[Tensor],
    stored: Tensor,
    grads: Sequence[Tensor],
    key: str,
    learned: str,
) -> list[Tensor]:
    """``Kernel.backward`` of the neuron ``key``."""
    made = _kernel(key, coefficients, learned, input_)
    input_, *before = (tensor.contiguous() for tensor in (input_, *before))
    return made.backward(input_, before, coefficients, stored, grads)


@steps_backward.register_fake
def _(
    input_: Tensor,
    before: Sequence[Tensor],
    coefficients: Sequence[Tensor],
    stored: Tensor,
    grads: Sequence[Tensor],
    key: str,
    learned: str,
) -> list[Tensor]:
    plan = _plan(key, coefficients, learned, input_)
    return plan.summed(plan.backward_results(input_, before))


def _keep(ctx: Any, inputs: tuple, output: list[Tensor]) -> None:
    input_, before, coefficients, ctx.key, ctx.learned, _ = inputs
    ctx.count = len(before)
    ctx.save_for_backward(input_, *before, *coefficients, output[-1])


def _backward(ctx: Any, grads: list[Tensor]) -> tuple:
    input_, *tensors, stored = ctx.saved_tensors
    before, coefficients = tensors[: ctx.count], tensors[ctx.count :]
    by_input, *by = steps_backward(
        input_, before, coefficients, stored, list(grads[:-1]), ctx.key, ctx.learned
    )
    names = ctx.learned.split(",") if ctx.learned else ()
    learned = dict(zip(names, by[ctx.count :], strict=True))
    by_coefficients = [learned.get(name) for name in _dynamics(ctx.key).coefficients]
    return by_input, by[: ctx.count], by_coefficients, None, None, None


steps.register_autograd(_backward, setup_context=_keep)
