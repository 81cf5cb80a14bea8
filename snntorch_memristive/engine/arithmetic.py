"""Elementary functions for CPU kernels.

Those of float32 that are stated here are arithmetic only, right to about one unit in the last
place: LLVM vectorises arithmetic, but calls the C library for every single ``exp``. The others,
the logarithm and all of float64, are the C library's; exact, and not vectorised.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from .polynomials import atan_of_a_part, exp2_of_a_part
from .value import NUMBERS, Value, alike, rearranged, where

EXACT = frozenset({"contract", "nsz"})
"""What may be rearranged here: products and sums fused, nothing reordered."""
ESTIMATED = EXACT | {"arcp", "ninf"}
"""A division may become an estimate and one step of Newton's method: half the time, 2 ulp."""


@rearranged(EXACT)
def reciprocal(x: Value) -> Value:
    """1 / x."""
    return 1.0 / x


@rearranged(ESTIMATED)
def reciprocal_within(x: Value) -> Value:
    """1 / x, for x of a size between 2^-126 and 2^126."""
    return 1.0 / x


# Of float32


def _held(y: Value) -> Value:
    """y inside of what :func:`_split` takes."""
    y = where(y < 127.0, y, 127.0)
    return where(y > -126.0, y, -126.0)


def _split(y: Value) -> tuple[Value, Value]:
    """2^n and 2^r - 1 with y = n + r, n whole and \\|r\\| <= 1/2, for y in [-126, 127]."""
    shifted = y + 12582912.0  # 1.5 * 2^23: what is left of y is whole, in the last bits
    r = y - (shifted - 12582912.0)
    power = (shifted.bits(ir.IntType(32)) << 23) + 0x3F800000
    return power.bits(NUMBERS["float32"]), exp2_of_a_part(r)


@rearranged(EXACT)
def exp2_within(y: Value) -> Value:
    """2^y for y in [-126, 127]."""
    power, rest = _split(y)
    return rest * power + power


@rearranged(EXACT)
def exp2(y: Value) -> Value:
    """2^y for y in [-126, 127]; its value at the bound beyond."""
    return exp2_within(_held(y))


@rearranged(EXACT)
def exp2m1(y: Value) -> Value:
    """2^y - 1, without cancellation; its value at the bound beyond [-126, 127]."""
    power, rest = _split(_held(y))
    return rest * power + (power - 1.0)


@rearranged(EXACT)
def sigmoid(z: Value) -> Value:
    """1 / (1 + e^-z)."""
    return reciprocal_within(1.0 + exp2(z * -1.44269504088896341))


@rearranged(EXACT)
def tanh(z: Value) -> Value:
    """Hyperbolic tangent, without cancellation."""
    y = exp2m1(2.8853900817779268 * z)
    return y / (y + 2.0)


@rearranged(EXACT)
def atan(x: Value) -> Value:
    """Inverse tangent."""
    size = where(x < 0.0, -x, x)
    is_large = size > 1.0
    z = where(is_large, reciprocal(where(is_large, size, 1.0)), size)
    part = atan_of_a_part(z)
    angle = where(is_large, 1.57079632679 - part, part)
    return where(x < 0.0, -angle, angle)


# Of the C library


def _intrinsic(name: str) -> Callable[[Value], Value]:
    def function(x: Value) -> Value:
        called = x.builder.module.declare_intrinsic(f"llvm.{name}", [x.ir.type])
        return Value(x.builder, x.builder.call(called, [x.ir]), x.flags)

    return function


def _external(name: str) -> Callable[[Value], Value]:
    def function(x: Value) -> Value:
        module = x.builder.module
        called = module.globals.get(name)
        if called is None:
            called = ir.Function(module, ir.FunctionType(x.ir.type, [x.ir.type]), name)
        return Value(x.builder, x.builder.call(called, [x.ir]), x.flags)

    return function


_expm1, _exp, _log = _external("expm1"), _intrinsic("exp"), _intrinsic("log")


@rearranged(EXACT)
def log1p(x: Value) -> Value:
    """log(1 + x): what is lost in 1 + x is made up for. After W. Kahan."""
    whole = x + 1.0
    loss = where(x < 1.0, x / (whole - 1.0), 1.0)
    return where(whole == 1.0, x, _log(whole) * loss)


def added(a: Any, b: Any) -> Value:
    """a + b, both of them rounded before."""
    a, b = alike(a, b)
    return Value(a.builder, a.builder.fadd(a.ir, b.ir), a.flags & b.flags)


def subtracted(a: Any, b: Any) -> Value:
    """a - b, both of them rounded before."""
    a, b = alike(a, b)
    return Value(a.builder, a.builder.fsub(a.ir, b.ir), a.flags & b.flags)


_SHARED: dict[str, Callable[..., Any]] = {
    "added": added,
    "subtracted": subtracted,
    "log": _log,
    "log1p": log1p,
    "reciprocal": reciprocal,
    "reciprocal_within": reciprocal_within,
    "sqrt": _intrinsic("sqrt"),
    "where": where,
}

FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "float32": _SHARED
    | {
        "atan": atan,
        "exp2": exp2,
        "exp2_within": exp2_within,
        "exp2m1": exp2m1,
        "sigmoid": sigmoid,
        "tanh": tanh,
    },
    "float64": _SHARED
    | {
        "atan": _external("atan"),
        "exp2": _intrinsic("exp2"),
        "exp2m1": lambda y: _expm1(y * 0.6931471805599453),
        "sigmoid": lambda z: 1.0 / (1.0 + _exp(-z)),
        "tanh": _external("tanh"),
    },
}
"""What the lines of a program call, by dtype."""

LIBRARY = ("atan", "exp", "exp2", "expm1", "log", "logf", "tanh")
"""Functions of the C library that LLVM makes of them."""
