r"""One-step maps for systems whose rates are stated as :class:`~.relaxation.Relaxation`.

The input is held over the step. A solver knows functions of a state and nothing of
memristors. Which to choose: :data:`MAGNUS` is the default, and the accurate one where the input
jumps; :data:`EXPONENTIAL` takes less than half of its time and is as good for slow or held inputs;
:data:`SYMMETRIC` is in between. These three are stable at every step length. :data:`EULER`
reproduces the MEMprop code and diverges when a step is longer than two time constants;
:data:`RK4` is a reference for small steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .relaxation import Equation, Relaxation, State, rates, relax

Step = Callable[[Sequence[Equation], State, Tensor, float], State]


@dataclass(frozen=True)
class Solver:
    """A one-step map ``step(equations, state, input_, dt) -> state`` and its order."""

    step: Step
    order: int
    """Error over a fixed time falls as the step to this power."""


def _sweep(equations: Sequence[Equation], state: State, input_: Tensor, dt: float) -> State:
    for equation in equations:
        relaxations = equation(state, input_)
        moved = {name: relax(state[name], r, dt) for name, r in relaxations.items()}
        state = state | moved
    return state


def _symmetric(equations: Sequence[Equation], state: State, input_: Tensor, dt: float) -> State:
    *halves, whole = equations
    state = _sweep(halves, state, input_, dt / 2)
    state = _sweep([whole], state, input_, dt)
    return _sweep(halves[::-1], state, input_, dt / 2)


def _magnus(equations: Sequence[Equation], state: State, input_: Tensor, dt: float) -> State:
    start = [equation(state, input_) for equation in equations]
    middle, end = state, state
    for relaxations in start[1:]:  # predicted; the first group needs no prediction of its own
        middle, end = _both(middle, end, state, relaxations, dt)
    for equation, first in zip(equations, start, strict=True):
        means = _simpson(first, equation(middle, input_), equation(end, input_))
        middle, end = _both(middle, end, state, means, dt)
    return end


def _both(
    middle: State, end: State, state: State, relaxations: dict[str, Relaxation], dt: float
) -> tuple[State, State]:
    """``middle`` and ``end`` of the step with what ``relaxations`` make of ``state`` by then."""
    half = {name: relax(state[name], r, dt / 2) for name, r in relaxations.items()}
    whole = {name: relax(state[name], r, dt) for name, r in relaxations.items()}
    return middle | half, end | whole


def _simpson(start: Any, middle: Any, end: Any) -> dict[str, Relaxation]:
    """Mean of drive and decay over a step, from three points of it."""
    return {
        name: Relaxation(*((a + 4 * b + c) / 6 for a, b, c in zip(*points, strict=True)))
        for name, points in ((name, (start[name], middle[name], end[name])) for name in start)
    }


def _ahead(state: State, slope: State, dt: float) -> State:
    return state | {name: state[name] + rate * dt for name, rate in slope.items()}


def _euler(equations: Sequence[Equation], state: State, input_: Tensor, dt: float) -> State:
    return _ahead(state, rates(equations, state, input_), dt)


def _rk4(equations: Sequence[Equation], state: State, input_: Tensor, dt: float) -> State:
    k1 = rates(equations, state, input_)
    k2 = rates(equations, _ahead(state, k1, dt / 2), input_)
    k3 = rates(equations, _ahead(state, k2, dt / 2), input_)
    k4 = rates(equations, _ahead(state, k3, dt), input_)
    mean = {name: (k1[name] + 2 * (k2[name] + k3[name]) + k4[name]) / 6 for name in k1}
    return _ahead(state, mean, dt)


MAGNUS = Solver(_magnus, order=2)
"""Second-order Magnus integrator: each group of states exactly for the mean, over the step, of
its drive and decay, which Simpson's rule takes along a predicted path of the others. S. Blanes,
F. Casas, J. A. Oteo and J. Ros, Phys. Rep. 470 (2009), doi:10.1016/j.physrep.2008.11.001."""

EXPONENTIAL = Solver(_sweep, order=1)
"""Exponential (Lie) splitting: each group of states exactly while the others are held, in turn.
S. Rush and H. Larsen, IEEE Trans. Biomed. Eng. 25 (1978), doi:10.1109/TBME.1978.326270."""

SYMMETRIC = Solver(_symmetric, order=2)
"""Symmetric (Strang) splitting: half steps there and back around a whole step of the last
group. G. Strang, SIAM J. Numer. Anal. 5 (1968), doi:10.1137/0705041."""

EULER = Solver(_euler, order=1)
"""Forward Euler, as in the first author's code of MEMprop (arXiv:2206.12992)."""

RK4 = Solver(_rk4, order=4)
"""The classical Runge-Kutta method."""

SOLVERS: dict[str, Solver] = {
    "magnus": MAGNUS,
    "exponential": EXPONENTIAL,
    "symmetric": SYMMETRIC,
    "euler": EULER,
    "rk4": RK4,
}
"""The solvers by the names that a neuron's ``solver=`` takes."""
