"""Numbers of compiled code that stand where a tensor would, with their derivative by one of them.

Functions of torch, element by element, are called with a :class:`Dual` in the place of a tensor.
Every operation is written as it stands there, and rounds as torch's does: nothing is rearranged.
"""

from collections.abc import Callable
from typing import Any

from .arithmetic import exp2
from .expression import UntraceableError
from .value import Value, constant, where

EXACT: frozenset = frozenset()


class Dual:
    """A number, or a condition, and its slope: its derivative, None where that is 0."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Value, slope: Value | None = None) -> None:
        self.value = value
        self.slope = slope

    @classmethod
    def read(cls, value: Value, is_variable: bool = False) -> "Dual":
        """A number that is given; the derivative is by the one that ``is_variable``."""
        exact = Value(value.builder, value.ir, EXACT)
        return cls(exact, _like(exact, 1.0) if is_variable else None)

    @property
    def requires_grad(self) -> bool:
        """Does it depend on the variable?"""
        return self.slope is not None

    @property
    def slope_or_zero(self) -> Value:
        """Its derivative, whether or not that is 0."""
        return _like(self.value, 0.0) if self.slope is None else self.slope

    def _with(self, value: Value, slope: Value | None = None) -> "Dual":
        return Dual(Value(value.builder, value.ir, EXACT), slope)

    def __add__(self, other: Any) -> "Dual":
        a, b = self, self._as_dual(other)
        return self._with(a.value + b.value, _sum(a.slope, b.slope))

    def __neg__(self) -> "Dual":
        return self * -1.0

    def __sub__(self, other: Any) -> "Dual":
        a, b = self, self._as_dual(other)
        return self._with(a.value - b.value, _sum(a.slope, _times(b.slope, _like(b.value, -1.0))))

    def __rsub__(self, other: Any) -> "Dual":
        return self._as_dual(other) - self

    def __mul__(self, other: Any) -> "Dual":
        a, b = self, self._as_dual(other)
        slope = _sum(_times(a.slope, b.value), _times(b.slope, a.value))
        return self._with(a.value * b.value, slope)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> "Dual":
        b = self._as_dual(other)
        if b.slope is not None:
            raise UntraceableError("Expected a divisor that does not depend on the variable.")
        slope = None if self.slope is None else self.slope / b.value
        return self._with(self.value / b.value, slope)

    def __rtruediv__(self, other: Any) -> "Dual":
        return self._as_dual(other) / self

    def __lt__(self, other: Any) -> "Dual":
        return self._with(self.value < self._as_dual(other).value)

    def __gt__(self, other: Any) -> "Dual":
        return self._with(self.value > self._as_dual(other).value)

    def __ge__(self, other: Any) -> "Dual":
        return self._with(self.value >= self._as_dual(other).value)

    def __and__(self, other: "Dual") -> "Dual":
        return self._with(self.value & other.value)

    def detach(self) -> "Dual":
        """The same number, a constant."""
        return self._with(self.value)

    def abs(self) -> "Dual":
        """Its size; at 0 the derivative is 0, as torch's."""
        return _where(self < 0.0, -self, _where(self > 0.0, self, 0.0))

    def clamp(self, min: Any = None, max: Any = None) -> "Dual":
        """It inside [min, max]; the derivative is 1 on both bounds, as torch's."""
        x = self
        if min is not None:
            x = _where(x < min, min, x)
        if max is not None:
            x = _where(x > max, max, x)
        return x

    def round(self) -> "Dual":
        """The nearest whole number, an even one in the middle, as torch's."""
        builder = self.value.builder
        called = builder.module.declare_intrinsic("llvm.roundeven", [self.value.ir.type])
        return self._with(Value(builder, builder.call(called, [self.value.ir])))

    def reciprocal(self) -> "Dual":
        """1 over it."""
        return self._as_dual(1.0) / self

    def exp(self) -> "Dual":
        """e to the power of it."""
        value = exp2(self.value * 1.44269504088896341)
        return self._with(value, _times(self.slope, value))

    def _as_dual(self, other: Any) -> "Dual":
        return other if isinstance(other, Dual) else Dual(_like(self.value, other))

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        function = FUNCTIONS.get(getattr(func, "__name__", ""))
        if function is None or kwargs:
            raise UntraceableError(f"Expected a function that kernels know, but got {func}.")
        return function(*args)


def _where(condition: Dual, a: Any, b: Any) -> Dual:
    known = a if isinstance(a, Dual) else b
    a, b = known._as_dual(a), known._as_dual(b)
    slope = None
    if a.slope is not None or b.slope is not None:
        zero = _like(known.value, 0.0)
        slopes = (zero if s is None else s for s in (a.slope, b.slope))
        slope = where(condition.value, *slopes)
    return known._with(where(condition.value, a.value, b.value), slope)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": _where,
    "zeros_like": lambda x: Dual(_like(x.value, 0.0)),
}
"""What torch's functions do, by their names."""


def _like(value: Value, number: float) -> Value:
    return Value(value.builder, constant(value.ir.type, number), EXACT)


def _sum(a: Value | None, b: Value | None) -> Value | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _times(a: Value | None, b: Value) -> Value | None:
    return None if a is None else a * b
