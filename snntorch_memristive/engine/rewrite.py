"""The same values from fewer operations."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..relaxation import SLOWEST
from .expression import Symbol, apply, clamp, ordered, remade

ENOUGH = 5e-8
"""Relative error at which a series ends: below the rounding of float32."""

SMALL = 1 / 16
"""Up to here a series of expm1 is short."""

STEEPEST = 64.0
"""Where the power of two that logistics share is cut off; its square is finite."""

FURTHEST = 32.0
"""Offset (in powers of two) up to which a logistic may share: at the cut it is 0 or 1 to 3e-10."""

Bounds = tuple[float, float]
EVERYWHERE: Bounds = (-math.inf, math.inf)
Known = dict[Any, Bounds]
Rule = Callable[[Symbol, Known], Any]


def rewritten(
    results: dict[str, Any], *rules: Rule, replaced: Mapping[Symbol, str] | None = None
) -> dict[str, Any]:
    """``results``, formulas by name, with equal values made one and ``rules`` applied.

    A symbol in ``replaced`` becomes the input of that name.
    """
    roots = list(results.values())
    for rule in rules or (_as_it_is,):
        roots = _apply_rule(roots, rule, replaced or {})
    return dict(zip(results, roots, strict=True))


def _apply_rule(roots: list[Any], rule: Rule, replaced: Mapping[Symbol, str]) -> list[Any]:
    merged: dict[tuple, Symbol] = {}
    same: dict[Symbol, Symbol] = {}
    bounds: Known = {}
    renewed: dict[Symbol, Any] = {}

    def unique(formula: Any) -> Any:
        for symbol in ordered([formula]):
            if symbol not in same:
                new = remade(symbol, same)
                one = merged.setdefault((new.op, *new.args), new)
                same[symbol] = same[one] = one
                bounds[one] = bounds_of(one, bounds)
        return same[formula] if isinstance(formula, Symbol) else formula

    for symbol in ordered(roots):
        if symbol in replaced:
            symbol_now = Symbol.named(replaced[symbol])
        else:
            symbol_now = remade(symbol, renewed)
        limits = bounds_of(symbol_now, bounds)
        renewed[symbol] = unique(rule(symbol_now, bounds))
        if isinstance(renewed[symbol], Symbol):  # a rule changes the form, not the value
            bounds[renewed[symbol]] = limits
    return [renewed[root] if isinstance(root, Symbol) else root for root in roots]


def _as_it_is(symbol: Symbol, bounds: Known) -> Symbol:
    return symbol


# Rules for before a derivative is taken


def slow_relaxation(symbol: Symbol, bounds: Known) -> Any:
    """A state that hardly relaxes in a step, without exponential and division.

    ``(s - drive / decay) expm1(-decay dt)`` becomes ``(drive - decay s) dt (1 - decay dt / 2
    + ...)``, as soon as decay dt is known to be small.
    """
    for deviation, fading in (symbol.args, symbol.args[::-1]) if symbol.op == "mul" else ():
        match _operation(deviation), _operation(fading):
            case ("sub", state, target), ("expm1", Symbol() as z):
                scale, quotient = _factor(target)
            case _:
                continue
        match _operation(quotient):
            case ("mul", drive, Symbol(op="reciprocal") as inverse):
                decay = unguarded(inverse.args[0])
                (a, rate), (b, same_rate) = _factor(z), _factor(decay)
                if rate is same_rate and max(map(abs, bounds[z])) <= SMALL:
                    dt = a / b
                    return (decay * state - scale * drive) * (dt * _phi(z, bounds))
    return symbol


def from_half(results: dict[str, Any]) -> dict[str, Any]:
    """``results``, each ``expm1(z)`` made from ``expm1(z / 2)`` where that is needed as well."""
    roots = list(rewritten(results).values())
    known = {_factor(s.args[0]): s for s in ordered(roots) if s.op == "expm1"}
    renewed: dict[Symbol, Any] = {}

    def fading(factor: float, exponent: Symbol) -> Any:
        symbol = known[factor, exponent]
        if symbol not in renewed:
            if (factor / 2, exponent) in known:
                half = fading(factor / 2, exponent)
                renewed[symbol] = half * (half + 2.0)
            else:
                renewed[symbol] = apply("expm1", factor * renewed[exponent])
        return renewed[symbol]

    for symbol in ordered(roots):
        if symbol.op == "expm1":
            fading(*_factor(symbol.args[0]))
        else:
            renewed[symbol] = remade(symbol, renewed)
    renewed_roots = [renewed[root] if isinstance(root, Symbol) else root for root in roots]
    return dict(zip(results, renewed_roots, strict=True))


def unguarded(value: Any) -> Any:
    """The rate of a relaxation without the small number that keeps it from being 0."""
    match _operation(value):
        case ("add", guarded, float(tiny)) if abs(tiny) <= SLOWEST:
            return guarded
    return value


def _factor(value: Any) -> tuple[float, Any]:
    match _operation(value):
        case ("mul", float(factor), other):
            return factor, other
    return 1.0, value


def _operation(value: Any) -> tuple:
    return (value.op, *value.args) if isinstance(value, Symbol) else (None,)


def _phi(z: Symbol, bounds: Known) -> Any:
    """(e^z - 1) / z as a series, with as many terms as the bounds of ``z`` call for."""
    largest = max(map(abs, bounds[z]))
    terms = next(n for n in range(1, 9) if largest**n / math.factorial(n + 1) < ENOUGH)
    series: Any = 1 / math.factorial(terms)
    for n in range(terms - 1, 0, -1):
        series = z * series + 1 / math.factorial(n)
    return series


# Rules for after it


def shared_logistic(symbol: Symbol, bounds: Known) -> Any:
    """A logistic of ``scale base + offset`` as a quotient of 2 to the absolute scale times base."""
    if symbol.op != "sigmoid":
        return symbol
    base, scale, offset = _affine(symbol.args[0])
    scale, offset = scale / math.log(2), offset / math.log(2)
    if not isinstance(base, Symbol) or scale == 0.0 or abs(offset) > FURTHEST:
        return symbol
    t = apply("exp2_within", clamp(base * abs(scale), min=-STEEPEST, max=STEEPEST))
    if scale > 0:
        return t * apply("reciprocal_within", t + 2**-offset)
    return apply("reciprocal_within", t * 2**-offset + 1.0)


def powers_of_two(symbol: Symbol, bounds: Known) -> Any:
    """Exponentials to the base that computers have."""
    if symbol.op in ("exp", "expm1"):
        z = symbol.args[0] * (1 / math.log(2))
        return apply("exp2" if symbol.op == "exp" else "exp2m1", z)
    return symbol


def _affine(formula: Any) -> tuple[Any, float, float]:
    """``base, scale, offset`` with numbers as the latter two: ``scale base + offset``."""
    scale, offset = 1.0, 0.0
    while isinstance(formula, Symbol):
        match formula.op, formula.args:
            case "mul", (float(a), b) | (b, float(a)):
                formula, scale = b, scale * a
            case "add", (float(a), b) | (b, float(a)):
                formula, offset = b, offset + scale * a
            case "sub", (b, float(a)):
                formula, offset = b, offset - scale * a
            case "sub", (float(a), b):
                formula, scale, offset = b, -scale, offset + scale * a
            case _:
                break
    return formula, scale, offset


def bounds_of(symbol: Symbol, known: Known) -> Bounds:
    """Between which numbers the value of ``symbol`` surely is."""
    limits = [known.get(a) if isinstance(a, Symbol) else (a, a) for a in symbol.args]
    match symbol.op, limits:
        case "sigmoid", _:
            return 0.0, 1.0
        case "exp" | "exp2" | "exp2_within" | "sqrt", _:
            return 0.0, math.inf
        case "add" | "added", [(a, b), (c, d)]:
            return a + c, b + d
        case "sub" | "subtracted", [(a, b), (c, d)]:
            return a - d, b - c
        case "mul", [(a, b), (c, d)] if all(map(math.isfinite, (a, b, c, d))):
            corners = a * c, a * d, b * c, b * d
            return min(corners), max(corners)
    return EVERYWHERE
