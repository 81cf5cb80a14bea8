"""A neuron's time step and its adjoint, as lines of code."""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ..functional import Dynamics
from .expression import Symbol, add, gradients, ordered, to_be_derived
from .layout import row_of_coefficient, row_of_record, row_of_state
from .lines import write
from .pieces import cut
from .rewrite import from_half, powers_of_two, rewritten, shared_logistic, slow_relaxation
from .sums import gathered

EXPENSIVE = ("atan", "exp2", "exp2_within", "exp2m1", "log", "log1p", "sigmoid", "sqrt", "tanh")
"""Operations that cost more than to write their value down and read it back."""

UNBOUNDED = ("exp2",)
"""Operations whose value may be infinite where what it goes into is not."""

RANGE = 1e30
"""A product of numbers below it, and above 1 over it, is well inside of the range of float32."""


@dataclass(frozen=True)
class Phase:
    """A loop over neurons: it reads rows, computes, and writes rows."""

    reads: tuple[str, ...]
    """Rows (and coefficients) that the lines need."""
    lines: tuple[str, ...]
    writes: tuple[str, ...]
    """Rows that change; the lines call the new value of ``row`` ``new_row``."""
    may_be_reordered: bool = True
    """Can products and sums be taken in another order, without leaving the range of float32?"""
    pieces: tuple["Phase", ...] = ()
    """The same as loops one after the other, short ones, if it is cut at all: for a CPU."""


@dataclass(frozen=True)
class Program:
    """What a kernel does with a block of neurons, phase by phase.

    Forward, for every time step: ``enter``, then ``substep`` as often as there are sub-steps,
    then ``leave``. Backward, with rows ``g_...`` for the derivatives with respect to the rows:
    ``leave_back``, ``substep_back`` as often, ``enter_back``. To go backward, the sub-steps are
    taken again as ``substep_kept``, which leaves what was expensive in the rows ``kept``.
    """

    enter: Phase
    substep: Phase
    leave: Phase
    substep_kept: Phase
    leave_back: Phase
    substep_back: Phase
    enter_back: Phase
    kept: tuple[str, ...]

    def phases(self) -> list[tuple[str, Phase]]:
        """Every phase with its name."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Phase)]


@cache
@to_be_derived()
def trace(dynamics: Dynamics, learned: tuple[str, ...], is_double: bool) -> Program:
    """The program of ``dynamics``, whose coefficients' rows ``learned`` get derivatives too.

    In double precision without the series and cuts that are exact to float32 only.
    """
    before = () if is_double else (slow_relaxation,)
    after = (powers_of_two,) if is_double else (shared_logistic, powers_of_two)
    rows = {name: Symbol.named(name) for name in ("input_", "mem", "i_in", "g_mem_given")}
    row_of = {name: row_of_state(name) for name in dynamics.circuit.states}
    state = {name: Symbol.named(row) for name, row in row_of.items()}
    coefficients = {n: Symbol.named(row_of_coefficient(n)) for n in dynamics.coefficients}
    by_row = {symbol.args[0]: symbol for symbol in coefficients.values()}
    wanted = {row: by_row[row] for row in learned}

    i_in, v = dynamics.enter(rows["input_"], rows["mem"], coefficients)
    entered = {"i_in": i_in, "v": v}
    moved = dynamics.substep(state, rows["i_in"], coefficients)
    moved = rewritten({row_of[name]: value for name, value in moved.items()}, *before)
    moved = rewritten(gathered(from_half(moved)))
    left = {"mem": dynamics.leave(state["v"], coefficients)}
    if dynamics.spike != "binary":
        left["spk"] = dynamics.send(left["mem"], coefficients)
    recorded = dynamics.record(state, coefficients)
    left |= {row_of_record(name): value for name, value in recorded.items()}

    by_entry = {"mem": rows["mem"], "input_": rows["input_"]}
    entered_back = _derivatives(entered, by_entry, wanted)
    by_state = {row_of[name]: symbol for name, symbol in state.items()}
    moved_back = _derivatives(moved, by_state, wanted | {"i_in": rows["i_in"]})
    # A state that is recorded goes on, too: what arrives from its record is added.
    kept_on = {row_of[name]: state[name] for name in recorded}
    by_membrane = {"v": state["v"]}
    left_back = _derivatives(left, by_membrane, wanted | kept_on, mem=rows["g_mem_given"])

    both = rewritten(moved | moved_back, *after)
    moved = {name: both[name] for name in moved}
    moved_back = {name: both[name] for name in moved_back}
    kept = _expensive_in_both(moved, moved_back)
    is_bounded = not any(s.op in UNBOUNDED for s in ordered(list(moved_back.values())))
    return Program(
        enter=_phase(gathered(rewritten(entered, *after))),
        substep=_in_pieces(gathered(moved)),
        leave=_phase(gathered(rewritten(left, *after))),
        substep_kept=_in_pieces(gathered(moved | kept), in_place=False),
        leave_back=_phase(gathered(rewritten(left_back, *after))),
        substep_back=_phase(gathered(_reading(kept, moved_back)), is_bounded=is_bounded),
        enter_back=_phase(gathered(rewritten(entered_back, *after))),
        kept=tuple(kept),
    )


def _expensive_in_both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Symbol]:
    in_both = dict.fromkeys(ordered(list(one.values())))
    found = [symbol for symbol in ordered(list(other.values())) if symbol in in_both]
    return {f"kept{k}": s for k, s in enumerate(s for s in found if s.op in EXPENSIVE)}


def _reading(kept: dict[str, Symbol], results: dict[str, Any]) -> dict[str, Any]:
    """``results`` made of inputs called as in ``kept``, where their values are known."""
    names = {symbol: name for name, symbol in kept.items()}
    return rewritten(results, replaced=names)


def _derivatives(
    results: dict[str, Any],
    by: dict[str, Symbol],
    summed_by: dict[str, Symbol],
    **more: Symbol,
) -> dict[str, Any]:
    """Derivatives by the rows ``by``; those by ``summed_by`` are added to what is there.

    What arrives for a result is the row ``g_...``, and ``more``.
    """
    arriving: dict[Symbol, Any] = {}
    for name, value in results.items():
        if isinstance(value, Symbol):
            arrived = add(Symbol.named(f"g_{name}"), more.get(name, 0.0))
            arriving[value] = add(arriving.get(value, 0.0), arrived)
    parts = gradients(arriving, [*by.values(), *summed_by.values()])
    named = dict(zip((f"g_{name}" for name in (*by, *summed_by)), parts, strict=True))
    for name in summed_by:
        named[f"g_{name}"] = add(Symbol.named(f"g_{name}"), named[f"g_{name}"])
    return named


def _phase(results: dict[str, Any], in_place: bool = True, is_bounded: bool = True) -> Phase:
    """``in_place``, what is written where it was read need not be written if it is the same."""
    changed = {n: value for n, value in results.items() if not (in_place and _is_input(value, n))}
    symbols = ordered(list(changed.values()))
    reads = [s.args[0] for s in symbols if s.op == "input"]
    lines = write({f"new_{name}": value for name, value in changed.items()})
    is_bounded = is_bounded and _may_be_reordered(symbols)
    return Phase(tuple(reads), tuple(lines), tuple(changed), is_bounded)


def _may_be_reordered(symbols: list[Symbol]) -> bool:
    """Could the numbers in every product be multiplied with each other, in any order?"""
    if any(symbol.op in UNBOUNDED for symbol in symbols):
        return False
    extremes: dict[Any, tuple[float, float]] = {}
    for symbol in symbols:
        if symbol.op == "mul":
            parts = [_extremes(a) if isinstance(a, float) else extremes[a] for a in symbol.args]
            extremes[symbol] = math.prod(p[0] for p in parts), math.prod(p[1] for p in parts)
        else:
            extremes[symbol] = 1.0, 1.0
    return all(low > 1 / RANGE and high < RANGE for low, high in extremes.values())


def _extremes(number: float) -> tuple[float, float]:
    return min(1.0, abs(number)), max(1.0, abs(number))


def _in_pieces(results: dict[str, Any], in_place: bool = True) -> Phase:
    pieces = tuple(_phase(part, in_place) for part in cut(results))
    return replace(_phase(results, in_place), pieces=pieces)


def _is_input(value: Any, name: str) -> bool:
    return isinstance(value, Symbol) and value.op == "input" and value.args == (name,)
