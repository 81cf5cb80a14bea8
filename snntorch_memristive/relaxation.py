"""The form in which every rate equation of the package is stated."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .units import Value

SLOWEST = 1e-30
"""A decay (1/s) below everything physical, so that a state that stands still divides by no zero."""


class Relaxation(NamedTuple):
    r"""One state's rate equation, :math:`\dot s = \mathrm{drive} - \mathrm{decay} \cdot s`.

    Both terms may depend on the other states and on the input. It is how the physics is
    written anyway: the Norton source and conductance of a node, the on- and off-rate of a
    switch. A solver that knows it can follow the state exactly while the others are held.
    """

    drive: Value
    """What pushes the state up (unit of the state per second)."""
    decay: Value
    """How fast the state forgets, above zero (1/s)."""

    @property
    def target(self) -> Value:
        """Where the state would settle if nothing else moved (unit of the state)."""
        # A logistic far from its threshold underflows to a rate of exactly 0 on both sides.
        return self.drive / (self.decay + SLOWEST)

    def rate(self, state: Tensor) -> Tensor:
        """Time derivative of ``state`` (unit of the state per second)."""
        return self.drive - self.decay * state


def relax(state: Tensor, relaxation: Relaxation, dt: Value) -> Tensor:
    """``state`` after ``dt`` seconds if its drive and decay stay as they are (exact)."""
    exponent = relaxation.decay * -dt
    fading = math.expm1(exponent) if isinstance(exponent, float) else torch.expm1(exponent)
    return state + (state - relaxation.target) * fading


State = dict[str, Tensor]
"""State tensors by name, in SI units; their shapes broadcast against each other."""

Equation = Callable[[State, Tensor], dict[str, Relaxation]]
"""Rate equations, ``(state, input_) -> {name: Relaxation}``, of one group of states that do
not depend on each other."""


def rates(equations: Sequence[Equation], state: State, input_: Tensor) -> State:
    """Time derivative (unit of the state per second) of every state of ``equations``.

    Of the shape to which ``state`` and ``input_`` broadcast.
    """
    return {
        name: relaxation.rate(state[name])
        for equation in equations
        for name, relaxation in equation(state, input_).items()
    }
