"""Sums with fewer products.

A processor multiplies a term of a sum while it adds it, at no cost of its own. What costs is a
number that multiplies a sum or a product. Here it moves into the terms of the sum, or into a sum
that the product has as a factor; and terms that have the same number are added first.
"""

from collections import Counter
from functools import reduce
from typing import Any, NamedTuple

from .expression import Symbol, add, mul, ordered, remade, sub


class Sum(NamedTuple):
    """A number, and formulas with what each is multiplied by."""

    number: float
    terms: dict[Any, float]

    @property
    def products(self) -> int:
        """How many multiplications it takes."""
        return len({_size(factor) for factor in self.terms.values()} - {1.0})

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
        for size in sorted({_size(f) for f in self.terms.values()}, key=lambda size: size != 1.0):
            group = {s: f for s, f in self.terms.items() if _size(f) == size}
            positive = [term for term, factor in group.items() if factor > 0.0]
            negative = [term for term, factor in group.items() if factor < 0.0]
            first, second = (positive, negative) if positive else (negative, [])
            inner = reduce(sub, second, reduce(add, first))
            part = mul(abs(next(iter(group.values()))), inner)
            total = add(total, part) if positive else sub(total, part)
        return total


def _size(factor: float) -> float:
    """Without the sign, and the last digits, in which factors differ that should be equal."""
    return float(f"{abs(factor):.12g}")


def gathered(results: dict[str, Any]) -> dict[str, Any]:
    """``results``, formulas by name, with the same values from fewer multiplications."""
    roots = list(results.values())
    order = ordered(roots)
    uses = Counter(a for symbol in order for a in symbol.args if isinstance(a, Symbol))
    uses.update(root for root in roots if isinstance(root, Symbol))
    sums: dict[Symbol, Sum] = {}
    renewed: dict[Symbol, Any] = {}

    def now(value: Any) -> Any:
        return renewed[value] if isinstance(value, Symbol) else value

    def as_term(value: Any, factor: float) -> Sum:
        return Sum(0.0, {renewed[value]: factor})

    def as_sum(value: Any, factor: float) -> Sum:
        """``value``, something that is added, times ``factor``."""
        if not isinstance(value, Symbol):
            return Sum(factor * value, {})
        own = sums.get(value, as_term(value, 1.0))
        is_free = len(own.terms) == own.products == 1
        # A number minus a term is left as it is: multiplied out it would lose digits.
        is_safe = own.products or not own.number or abs(factor) == 1.0
        if is_free or (value in sums and uses[value] == 1 and is_safe):
            return own.times(factor)
        absorbed = absorb(value, factor) if factor != 1.0 else None
        return as_term(value, factor) if absorbed is None else Sum(0.0, {absorbed: 1.0})

    def absorb(value: Any, factor: float) -> Any:
        """``value`` times ``factor``, if that takes no multiplication more than ``value``."""
        if not isinstance(value, Symbol):
            return factor * value
        if uses[value] != 1:
            return None
        match value.op, value.args:
            case "mul", (float(number), b):
                absorbed = absorb(b, factor * number)
                return mul(factor * number, now(b)) if absorbed is None else absorbed
            case "mul", (a, b):
                for one, other in ((a, b), (b, a)):
                    absorbed = absorb(one, factor)
                    if absorbed is not None:
                        return mul(absorbed, now(other))
            case "add" | "sub" as op, (a, b):
                parts = absorb(a, factor), absorb(b, factor)
                if None not in parts:
                    return (add if op == "add" else sub)(*parts)
        return None

    def added(a: Any, b: Any, sign: float) -> Sum:
        one, other = as_sum(a, 1.0), as_sum(b, sign)
        if one.terms.keys() & other.terms.keys():
            # Most of s + (s - t) / 1000 is s: 1.001 s - t / 1000 would round what is left.
            one, other = as_term(a, 1.0), as_term(b, sign)
        return one.plus(other)

    for symbol in order:
        match symbol.op, symbol.args:
            case "add", (a, b):
                sums[symbol] = added(a, b, 1.0)
            case "sub", (a, b):
                sums[symbol] = added(a, b, -1.0)
            case "mul", (float(number), b):
                sums[symbol] = as_sum(b, number)
        if symbol in sums:
            renewed[symbol] = sums[symbol].formula()
        elif symbol.op == "mul":
            renewed[symbol] = mul(*map(now, symbol.args))
        else:
            renewed[symbol] = remade(symbol, renewed)
    return {name: now(root) for name, root in results.items()}
