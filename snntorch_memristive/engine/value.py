"""Numbers of compiled code, which Python calculates with.

A :class:`Value` stands where a number would. Calculating with it writes LLVM's instructions
instead, at the place where its builder is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
from llvmlite import ir

INTEGER = ir.IntType(64)
CONDITION = ir.IntType(1)
NUMBERS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}
"""Types by the names of their dtypes."""

FAST = frozenset({"contract", "arcp", "nsz"})
"""What may be rearranged unless a function says otherwise: products and sums fused, divisions
made products."""

REORDERED = frozenset({"reassoc"})
"""What may be done, too, to all that is made of a value: sums and products in another order."""


class Value:
    """A number, or a condition. The result of two may be rearranged as far as both allow it, and
    reordered if one of them may.
    """

    __slots__ = ("builder", "flags", "ir")
    __hash__ = None  # type: ignore[assignment]  # == writes a comparison

    def __init__(self, builder: ir.IRBuilder, value: ir.Value, flags: frozenset = FAST) -> None:
        self.builder = builder
        self.ir = value
        self.flags = flags

    @property
    def is_real(self) -> bool:
        """Is it a floating-point number?"""
        return self.ir.type in NUMBERS.values()

    def reordered(self) -> "Value":
        """The same number; what is made of it may be reordered."""
        return Value(self.builder, self.ir, self.flags | REORDERED)

    def like(self, other: Any) -> "Value":
        """``other`` as a value of this one's type; a condition is 1 or 0."""
        if not isinstance(other, Value):
            return Value(self.builder, constant(self.ir.type, other), self.flags)
        if self.is_real and other.ir.type == CONDITION:
            number = self.builder.uitofp(other.ir, self.ir.type)
            return Value(self.builder, number, other.flags)
        return other

    def _calculated(self, operation: str, a: Any, b: Any) -> "Value":
        a, b = alike(a, b)
        flags = a.flags & b.flags | (a.flags | b.flags) & REORDERED
        if a.is_real:
            write = getattr(self.builder, f"f{operation}")
            return Value(self.builder, write(a.ir, b.ir, flags=sorted(flags)), flags)
        return Value(self.builder, getattr(self.builder, operation)(a.ir, b.ir), flags)

    def _compared(self, sign: str, other: Any, or_nan: bool = False) -> "Value":
        """With NaN on a side, ``or_nan``."""
        a, b = alike(self, other)
        if not a.is_real:
            return Value(self.builder, self.builder.icmp_signed(sign, a.ir, b.ir))
        write = self.builder.fcmp_unordered if or_nan else self.builder.fcmp_ordered
        return Value(self.builder, write(sign, a.ir, b.ir))

    def __add__(self, other: Any) -> "Value":
        return self._calculated("add", self, other)

    def __radd__(self, other: Any) -> "Value":
        return self._calculated("add", other, self)

    def __sub__(self, other: Any) -> "Value":
        return self._calculated("sub", self, other)

    def __rsub__(self, other: Any) -> "Value":
        return self._calculated("sub", other, self)

    def __mul__(self, other: Any) -> "Value":
        return self._calculated("mul", self, other)

    def __rmul__(self, other: Any) -> "Value":
        return self._calculated("mul", other, self)

    def __truediv__(self, other: Any) -> "Value":
        return self._calculated("div", self, other)

    def __rtruediv__(self, other: Any) -> "Value":
        return self._calculated("div", other, self)

    def __floordiv__(self, other: Any) -> "Value":
        return self._calculated("sdiv", self, other)  # of whole numbers, none of them negative

    def __mod__(self, other: Any) -> "Value":
        return self._calculated("srem", self, other)

    def __and__(self, other: Any) -> "Value":
        return self._calculated("and_", self, other)

    def __or__(self, other: Any) -> "Value":
        return self._calculated("or_", self, other)

    def __lshift__(self, other: Any) -> "Value":
        return self._calculated("shl", self, other)

    def __rshift__(self, other: Any) -> "Value":
        return self._calculated("ashr", self, other)

    def __xor__(self, other: Any) -> "Value":
        return self._calculated("xor", self, other)

    def __neg__(self) -> "Value":
        return self * -1

    def __lt__(self, other: Any) -> "Value":
        return self._compared("<", other)

    def __le__(self, other: Any) -> "Value":
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> "Value":
        return self._compared(">", other)

    def __ge__(self, other: Any) -> "Value":
        return self._compared(">=", other)

    def __eq__(self, other: Any) -> "Value":  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: Any) -> "Value":  # type: ignore[override]
        return self._compared("!=", other, or_nan=True)

    def bits(self, type_: ir.Type) -> "Value":
        """The same bits as a number of another type."""
        return Value(self.builder, self.builder.bitcast(self.ir, type_), self.flags)


class Row:
    """Numbers in memory, one behind the other. A condition is kept as 1 or 0."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, pointer: ir.Value) -> None:
        self.builder = builder
        self.ir = pointer

    def _pointer(self, index: Any) -> ir.Value:
        index = index.ir if isinstance(index, Value) else ir.Constant(INTEGER, index)
        return self.builder.gep(self.ir, [index])

    def __add__(self, offset: Any) -> "Row":
        """The numbers behind the first ``offset``."""
        return Row(self.builder, self._pointer(offset))

    def __getitem__(self, index: Any) -> Value:
        return Value(self.builder, self.builder.load(self._pointer(index)))

    def __setitem__(self, index: Any, value: Value) -> None:
        pointer, number = self._pointer(index), value.ir
        if number.type == CONDITION:
            number = self.builder.uitofp(number, pointer.type.pointee)
        self.builder.store(number, pointer)

    def add(self, index: Any, amount: Any) -> Value:
        """Add to a whole number, as one of several threads; what was there before."""
        amount = amount.ir if isinstance(amount, Value) else ir.Constant(INTEGER, amount)
        before = self.builder.atomic_rmw("add", self._pointer(index), amount, "monotonic")
        return Value(self.builder, before)


def constant(type_: ir.Type, number: float) -> ir.Constant:
    """``number`` as one of the type ``type_``, to which it is rounded."""
    if type_ == NUMBERS["float32"]:
        with np.errstate(over="ignore"):
            number = float(np.float32(number))
    return ir.Constant(type_, number if isinstance(type_, ir.IntType) else float(number))


def alike(a: Any, b: Any) -> tuple[Value, Value]:
    """Both as values of one type, that of whichever is more than a condition or Python's number."""
    if isinstance(a, Value) and (a.is_real or not isinstance(b, Value)):
        return a, a.like(b)
    return b.like(a), b


def where(condition: Value, a: Any, b: Any) -> Any:
    """``a`` where ``condition`` holds, or is a number other than 0, else ``b``: numbers or rows."""
    if condition.ir.type != CONDITION:
        condition = condition != 0.0
    if isinstance(a, Row):
        return Row(a.builder, a.builder.select(condition.ir, a.ir, b.ir))
    a, b = alike(a, b)
    return Value(a.builder, a.builder.select(condition.ir, a.ir, b.ir), a.flags & b.flags)


def rearranged(flags: frozenset) -> Callable[[Callable[[Value], Any]], Callable[[Value], Any]]:
    """Inside a function of a value, nothing but ``flags`` may be rearranged."""

    def decorate(function: Callable[[Value], Any]) -> Callable[[Value], Any]:
        @wraps(function)
        def exact(x: Value) -> Any:
            result = function(Value(x.builder, x.ir, flags))
            return Value(result.builder, result.ir, x.flags)

        return exact

    return decorate


@contextmanager
def loop(builder: ir.IRBuilder, stop: Any) -> Iterator[Value]:
    """What is written inside is done for 0, 1, ... as long as that is less than ``stop``."""
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    before = builder.block
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INTEGER)
    index.add_incoming(ir.Constant(INTEGER, 0), before)
    count = Value(builder, index)
    builder.cbranch((count < stop).ir, body, after)
    builder.position_at_end(body)
    yield count
    index.add_incoming((count + 1).ir, builder.block)
    builder.branch(head)
    builder.position_at_end(after)


@contextmanager
def repeat(builder: ir.IRBuilder, next_: Callable[[], Value], stop: Any) -> Iterator[Value]:
    """What is written inside is done as long as ``next_`` gives numbers less than ``stop``."""
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    current = next_()
    builder.cbranch((current < stop).ir, body, after)
    builder.position_at_end(body)
    yield current
    builder.branch(head)
    builder.position_at_end(after)
