"""Elementary functions of float32 in Triton, under the names that generated lines use."""

from types import FunctionType

import triton
import triton.language as tl

from . import polynomials


def _here(function):
    """``function`` for Triton, whose interpreter looks for ``tl`` where a function is stated."""
    return triton.jit(FunctionType(function.__code__, globals()))


exp2_of_a_part = _here(polynomials.exp2_of_a_part)
atan_of_a_part = _here(polynomials.atan_of_a_part)


@triton.jit
def where(condition, a, b):
    """``a`` where ``condition`` holds, else ``b``."""
    return tl.where(condition, a, b)


@triton.jit
def reciprocal(x):
    """1 / x."""
    return 1.0 / x


reciprocal_within = reciprocal


@triton.jit
def added(a, b):
    """a + b, both of them rounded before: see ``cuda.compiled``."""
    return a + b


@triton.jit
def subtracted(a, b):
    """a - b, both of them rounded before."""
    return a - b


@triton.jit
def exp2(y):
    """2^y."""
    return tl.exp2(y)


exp2_within = exp2


@triton.jit
def exp2m1(y):
    """2^y - 1, without cancellation."""
    n = tl.floor(y + 0.5)
    power = tl.exp2(n)
    return exp2_of_a_part(y - n) * power + (power - 1.0)


@triton.jit
def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1.0 / (1.0 + tl.exp2(-1.4426950408889634 * z))


@triton.jit
def tanh(z):
    """Hyperbolic tangent, without cancellation for z up to 40."""
    y = exp2m1(2.8853900817779268 * tl.minimum(z, 40.0))
    return y / (y + 2.0)


@triton.jit
def atan(x):
    """Inverse tangent."""
    size = tl.abs(x)
    part = atan_of_a_part(tl.where(size > 1.0, 1.0 / tl.maximum(size, 1.0), size))
    angle = tl.where(size > 1.0, 1.57079632679 - part, part)
    return tl.where(x < 0.0, -angle, angle)


@triton.jit
def log(x):
    """Natural logarithm."""
    return tl.log(x)


@triton.jit
def log1p(x):
    """log(1 + x): what is lost in 1 + x is made up for. After W. Kahan."""
    whole = x + 1.0
    is_tiny = whole == 1.0
    loss = tl.where(x < 1.0, x / tl.where(is_tiny, 1.0, whole - 1.0), 1.0)
    return tl.where(is_tiny, x, tl.log(whole) * loss)


@triton.jit
def sqrt(x):
    """Square root."""
    return tl.sqrt(x)
