"""A neuron's time step and its adjoint, as lines of code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..functional import Dynamics
from .expression import Symbol, add, gradients, ordered
from .lines import write
from .rewrite import Rule, powers_of_two, rewrite, shared_logistic, slow_relaxation


@dataclass(frozen=True)
class Phase:
    """A loop over neurons: it reads rows, computes, and writes rows."""

    reads: tuple[str, ...]
    """Rows (and coefficients) that the lines need."""
    lines: tuple[str, ...]
    writes: tuple[str, ...]
    """Rows that change; the lines call the new value of ``row`` ``new_row``."""


@dataclass(frozen=True)
class Program:
    """What a kernel does with a block of neurons, phase by phase.

    Forward, for every time step: ``enter``, then ``substep`` as often as there are sub-steps,
    then ``leave``. Backward, with rows ``g_...`` for the derivatives with respect to the rows:
    ``leave_back``, ``substep_back`` as often, ``enter_back``.
    """

    enter: Phase
    substep: Phase
    leave: Phase
    leave_back: Phase
    substep_back: Phase
    enter_back: Phase


def trace(dynamics: Dynamics, learned: Iterable[str] = (), is_double: bool = False) -> Program:
    """The program of ``dynamics``, whose coefficients called ``learned`` get derivatives too.

    In double precision without the series and cuts that are exact to float32 only.
    """
    before, after = ((), ()) if is_double else ((slow_relaxation,), (shared_logistic,))
    learned = tuple(learned)
    rows = {name: Symbol.named(name) for name in ("input_", "mem", "i_in")}
    state = {name: Symbol.named(name) for name in dynamics.circuit.states}
    coefficients = {name: Symbol.named(name) for name in dynamics.coefficients}
    wanted = {name: coefficients[name] for name in learned}

    i_in, v = dynamics.enter(rows["input_"], rows["mem"], coefficients)
    entered = {"i_in": i_in, "v": v}
    moved = dynamics.substep(state, rows["i_in"], coefficients)
    moved = dict(zip(moved, rewrite(list(moved.values()), *before), strict=True))
    mem = dynamics.leave(state["v"], coefficients)
    left = {"mem": mem}
    if dynamics.spike != "binary":
        left["spk"] = dynamics.send(mem, coefficients)

    def phase(results: dict[str, Any]) -> Phase:
        return _phase(results, *after, powers_of_two)

    by_mem = {"mem": rows["mem"], "input_": rows["input_"]}
    return Program(
        enter=phase(entered),
        substep=phase(moved),
        leave=phase(left),
        leave_back=phase(_derivatives(left, {"v": state["v"]}, wanted)),
        substep_back=phase(_derivatives(moved, state, wanted | {"i_in": rows["i_in"]})),
        enter_back=phase(_derivatives(entered, by_mem, wanted)),
    )


def _derivatives(
    results: dict[str, Any], by: dict[str, Symbol], summed_by: dict[str, Symbol]
) -> dict[str, Any]:
    """Derivatives by the rows ``by``; those by ``summed_by`` are added to what is there."""
    arriving: dict[Symbol, Any] = {}
    for name, value in results.items():
        if isinstance(value, Symbol):
            arriving[value] = add(arriving.get(value, 0.0), Symbol.named(f"g_{name}"))
    parts = gradients(arriving, [*by.values(), *summed_by.values()])
    named = dict(zip((f"g_{name}" for name in (*by, *summed_by)), parts, strict=True))
    for name in summed_by:
        named[f"g_{name}"] = add(Symbol.named(f"g_{name}"), named[f"g_{name}"])
    return named


def _phase(results: dict[str, Any], *rules: Rule) -> Phase:
    changed = {name: value for name, value in results.items() if not _is_input(value, name)}
    reads = [s.args[0] for s in ordered(list(changed.values())) if s.op == "input"]
    lines = write({f"new_{name}": value for name, value in changed.items()}, *rules)
    return Phase(tuple(reads), tuple(lines), tuple(changed))


def _is_input(value: Any, name: str) -> bool:
    return isinstance(value, Symbol) and value.op == "input" and value.args == (name,)
