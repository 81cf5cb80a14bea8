"""A circuit driven through time: the readable truth that every fast path must equal."""

from numbers import Integral

import torch
from torch import Tensor

from ..checks import check_choice, check_positive
from ..circuits import Circuit
from ..relaxation import State
from ..solvers import SOLVERS


def check_integration(dt: float, substeps: int, solver: str) -> None:
    """Check how a circuit is to be followed.

    Raises:
        ValueError: if ``dt`` (s) is not above zero, ``substeps`` is no whole number from 1 on, or
            there is no such ``solver``.
    """
    check_positive("s", dt=dt)
    whole = isinstance(substeps, Integral) and not isinstance(substeps, bool)
    if not (whole and substeps >= 1):
        raise ValueError(f"Expected `substeps` to be a whole number >= 1, but got {substeps!r}.")
    check_choice("solver", solver, SOLVERS)


def step(
    circuit: Circuit,
    state: State,  # shapes: (*neurons)
    i_in: Tensor,  # shape: (*neurons), A
    dt: float,
    substeps: int = 4,
    solver: str = "magnus",
    hold_memristors: bool = False,
) -> State:  # shapes: (*neurons)
    """State of ``circuit`` after one time step of ``dt`` seconds under a held current.

    Args:
        circuit: the circuit, in SI units.
        state: its state before, by name.
        i_in: input current in A, held over the step.
        dt: time step in s.
        substeps: number of equal parts into which the solver cuts the step.
        solver: a name from :data:`~snntorch_memristive.solvers.SOLVERS`.
        hold_memristors: leave the memristor states as they are.
    """
    equations = circuit.equations(hold_memristors)
    advance = SOLVERS[solver].step
    for _ in range(substeps):
        state = advance(equations, state, i_in, dt / substeps)
    return state


def integrate(
    circuit: Circuit,
    i_in: Tensor,  # shape: (time, *neurons), A
    dt: float,
    state: State | None = None,  # shapes: (*neurons)
    substeps: int = 4,
    solver: str = "magnus",
    hold_memristors: bool = False,
) -> State:  # shapes: (time, *neurons)
    """Every state of ``circuit`` at the end of every time step, by name.

    Args:
        circuit: the circuit, in SI units.
        i_in: input current in A, held over each step of ``dt`` seconds.
        dt: time step in s.
        state: where to start; the circuit's rest if not given.
        substeps, solver, hold_memristors: as in :func:`step`.

    Raises:
        ValueError: if ``dt``, ``substeps`` or ``solver`` is impossible, or ``i_in`` is not
            floating point or has no time step.

    >>> from snntorch_memristive.circuits import MIFCircuit
    >>> record = integrate(MIFCircuit(), torch.full((25, 3), 20e-6), dt=1e-6)
    >>> sorted(record), tuple(record["v"].shape)
    (['v', 'x1', 'x2'], (25, 3))
    """
    check_integration(dt, substeps, solver)
    if not i_in.is_floating_point() or i_in.dim() == 0 or len(i_in) == 0:
        raise ValueError(
            f"Expected a floating-point `i_in` of shape (time, ...), "
            f"but got {i_in.dtype} of shape {tuple(i_in.shape)}."
        )
    if state is None:
        state = rest_state(circuit, i_in[0])
    record = []
    for current in i_in:
        state = step(circuit, state, current, dt, substeps, solver, hold_memristors)
        record.append(state)
    return {name: torch.stack([state[name] for state in record]) for name in circuit.states}


def rest_state(circuit: Circuit, like: Tensor) -> State:
    """``circuit`` at rest, every state of the shape, dtype and device of ``like``."""
    rest = {
        name: torch.as_tensor(value, dtype=like.dtype, device=like.device)
        for name, value in circuit.rest().items()
    }
    return {name: value.expand_as(like).clone() for name, value in rest.items()}
