"""Sums with fewer products.

A processor multiplies a term of a sum while it adds it, at no cost of its own. What costs is a
number that multiplies a sum or a product. Here it moves into the terms of the sum, or into a sum
that the product has as a factor; and terms that have the same number are added first.

No digit is lost: what may cancel exactly, as ``a - b`` of two values that are near each other, is
added first as before. Beside multiples of them, which are rounded anyway, the order does not
matter; nor if a number is known to be larger than all that is added to it. And the very sum that
a reciprocal, say, is taken of is left as it is: a small number in it may keep it from 0. Where what
it is made of may cancel, that is rounded as it stands, too.
"""

import math
from collections import Counter
from functools import reduce
from typing import Any, NamedTuple

from .expression import Symbol, add, is_movable, mul, ordered, remade, sub
from .rewrite import EVERYWHERE, Known, bounds_of, unguarded

LINEAR = ("add", "added", "sub", "subtracted", "mul", "where")
"""Operations that pass a small change of an argument on in proportion."""

STEEP = ("reciprocal", "sqrt", "log", "log1p")
"""Operations that make much of a small change of an argument near 0."""

APART = {"add": "added", "sub": "subtracted"}
"""Sums of two values that are rounded before, whatever they are made of."""

COMPARABLE = 1000.0
"""Quotient up to which two numbers are made one."""


class Sum(NamedTuple):
    """A number, and formulas with what each is multiplied by."""

    number: float
    terms: dict[Any, float]

    @property
    def products(self) -> int:
        """How many multiplications it takes."""
        return len({_size(factor) for factor in self.terms.values()} - {1.0})

    def may_be_opened(self, bounds: Known) -> bool:
        """May its terms be multiplied, or be added to others, one by one?

        Two of them that are not rounded could cancel exactly.
        """
        exact = sum(map(_is_round, self.terms.values())) + (self.number != 0.0)
        largest = sum(
            abs(factor) * max(map(abs, bounds.get(term, EVERYWHERE)))
            for term, factor in self.terms.items()
        )
        return exact <= 1 or 2 * largest < abs(self.number)

    def times(self, factor: float) -> "Sum":
        """All of it multiplied."""
        return Sum(factor * self.number, {s: factor * f for s, f in self.terms.items()})

    def plus(self, other: "Sum") -> "Sum":
        """Both together."""
        terms = dict(self.terms)
        for term, factor in other.terms.items():
            terms[term] = terms.get(term, 0.0) + factor
        return Sum(self.number + other.number, {s: f for s, f in terms.items() if f != 0.0})

    def formula(self) -> Any:
        """Written out: the number, terms that are not multiplied, and those that are."""
        total: Any = self.number
        with_plus = {_size(factor) for factor in self.terms.values() if factor > 0.0}
        sizes = sorted({_size(factor) for factor in self.terms.values()})
        for size in sorted(sizes, key=lambda size: (size not in with_plus, size != 1.0)):
            group = {s: f for s, f in self.terms.items() if _size(f) == size}
            positive = [term for term, factor in group.items() if factor > 0.0]
            negative = [term for term, factor in group.items() if factor < 0.0]
            first, second = (positive, negative) if positive else (negative, [])
            inner = reduce(sub, second, reduce(add, first))
            part = mul(abs(next(iter(group.values()))), inner)
            total = add(total, part) if positive else sub(total, part)
        return total


def _of_one(value: Any, factor: float) -> Sum:
    return Sum(0.0, {value: factor}) if isinstance(value, Symbol) else Sum(factor * value, {})


def _size(factor: float) -> float:
    """Without the sign, and the last digits, in which factors differ that should be equal."""
    return float(f"{abs(factor):.15g}")


def _is_power_of_two(factor: float) -> bool:
    """Does multiplying by ``factor`` round nothing?"""
    return abs(math.frexp(factor)[0]) == 0.5


def _is_round(factor: float) -> bool:
    """Has ``factor`` so few digits, as 3 or 1.5 have, that many of its multiples are exact?"""
    return (math.frexp(factor)[0] * 2**10).is_integer()


def _are_comparable(a: float, b: float) -> bool:
    """Is their sum as good as both, up to few digits?"""
    return not (a and b) or COMPARABLE >= abs(a / b) >= 1 / COMPARABLE


def _delicate(order: list[Symbol], bounds: Known) -> set[Symbol]:
    """Sums that may cancel, and of which something :data:`STEEP` is made.

    But for the rate of a relaxation: what is divided by it is multiplied by it, too.
    """
    steep = [symbol.args[0] for symbol in order if symbol.op in STEEP]
    below = {a for a in steep if unguarded(a) is a}
    for symbol in reversed(order):
        if symbol in below and symbol.op in LINEAR:
            below.update(symbol.args)
    return {s for s in order if s in below and s.op in APART and _may_cancel(s, bounds)}


def _may_cancel(symbol: Symbol, bounds: Known) -> bool:
    limits = [bounds[a] if isinstance(a, Symbol) else (a, a) for a in symbol.args]
    (a, b), (c, d) = limits
    if symbol.op == "sub":
        c, d = -d, -c
    return not (min(a, c) >= 0.0 or max(b, d) <= 0.0)


def gathered(results: dict[str, Any]) -> dict[str, Any]:
    """``results``, formulas by name, with the same values from fewer multiplications."""
    roots = list(results.values())
    order = ordered(roots)
    uses = Counter(a for symbol in order for a in symbol.args if isinstance(a, Symbol))
    uses.update(root for root in roots if isinstance(root, Symbol))
    untouched = {a for symbol in order if symbol.op not in LINEAR for a in symbol.args}
    bounds: Known = {}
    for symbol in order:
        bounds[symbol] = bounds_of(symbol, bounds)
    delicate = _delicate(order, bounds)
    sums: dict[Symbol, Sum] = {}
    renewed: dict[Symbol, Any] = {}

    def now(value: Any) -> Any:
        return renewed[value] if isinstance(value, Symbol) else value

    def as_term(value: Any, factor: float) -> Sum:
        return _of_one(now(value), factor)

    def as_sum(value: Any, factor: float) -> Sum:
        """``value``, something that is added, times ``factor``."""
        own = sums.get(value)
        if own is None:
            return as_product(value, factor)
        is_free = len(own.terms) == own.products == 1
        multiplied = own.times(factor)
        is_safe = own.may_be_opened(bounds) and all(map(is_movable, multiplied.terms.values()))
        opens = is_safe and (is_free or uses[value] == 1)
        return multiplied if opens else as_product(value, factor)

    def as_product(value: Any, factor: float) -> Sum:
        absorbed = absorb(value, factor) if factor != 1.0 else None
        return as_term(value, factor) if absorbed is None else _of_one(absorbed, 1.0)

    def absorb(value: Any, factor: float) -> Any:
        """``value`` times ``factor``, if that takes no multiplication more than ``value``."""
        if not isinstance(value, Symbol):
            return factor * value if is_movable(factor * value) else None
        if uses[value] != 1:
            return None
        match value.op, value.args:
            case "mul", (float(number), b) if is_movable(factor * number):
                absorbed = absorb(b, factor * number)
                return mul(factor * number, now(b)) if absorbed is None else absorbed
            case "mul", (a, b):
                for one, other in ((a, b), (b, a)):
                    absorbed = absorb(one, factor)
                    if absorbed is not None:
                        return mul(absorbed, now(other))
            case "add" | "sub" as op, (a, b) if value in sums and (
                sums[value].may_be_opened(bounds) or _is_power_of_two(factor)
            ):
                parts = absorb(a, factor), absorb(b, factor)
                if None not in parts:
                    return (add if op == "add" else sub)(*parts)
        return None

    def added(a: Any, b: Any, sign: float) -> Sum:
        one, other = as_sum(a, 1.0), as_sum(b, sign)
        # Most of s + (s - t) / 1000 is s: 1.001 s - t / 1000 would round what is left.
        shares = one.terms.keys() & other.terms.keys()
        if shares or not _are_comparable(one.number, other.number):
            one, other = as_term(a, 1.0), as_term(b, sign)
        return one.plus(other)

    for symbol in order:
        match symbol.op, symbol.args:
            case "add" | "sub" as op, (a, b) if symbol in delicate:
                renewed[symbol] = Symbol(APART[op], now(a), now(b))
            case "add" | "sub" as op, (a, b) if symbol in untouched:
                renewed[symbol] = (add if op == "add" else sub)(now(a), now(b))
            case "add", (a, b):
                sums[symbol] = added(a, b, 1.0)
            case "sub", (a, b):
                sums[symbol] = added(a, b, -1.0)
            case "mul", (float(number), b):
                sums[symbol] = as_sum(b, number)
            case "mul", (a, b):
                renewed[symbol] = mul(now(a), now(b))
            case _:
                renewed[symbol] = remade(symbol, renewed)
        if symbol in sums:
            renewed[symbol] = sums[symbol].formula()
        if isinstance(renewed[symbol], Symbol):  # its form has changed, not its value
            bounds[renewed[symbol]] = bounds[symbol]
    return {name: now(root) for name, root in results.items()}
