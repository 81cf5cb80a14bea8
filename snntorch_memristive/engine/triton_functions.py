"""Elementary functions of float32 in Triton, under the names that generated lines use."""

import triton
import triton.language as tl


@triton.jit
def where(condition, a, b):
    """``a`` where ``condition`` holds, else ``b``."""
    return tl.where(condition, a, b)


@triton.jit
def reciprocal(x):
    """1 / x."""
    return 1.0 / x


@triton.jit
def exp2(y):
    """2^y."""
    return tl.exp2(y)


@triton.jit
def exp2m1(y):
    """2^y - 1, without cancellation; the polynomial is that of the CPU's."""
    n = tl.floor(y + 0.5)
    r = y - n
    p = 1.5461447e-4 * r + 1.3390867e-3
    p = p * r + 9.6180569e-3
    p = p * r + 5.5503570e-2
    p = p * r + 2.4022651e-1
    p = p * r + 6.9314718e-1
    power = tl.exp2(n)
    return p * r * power + (power - 1.0)


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
    """Inverse tangent; the polynomial is that of the CPU's."""
    size = tl.abs(x)
    z = tl.where(size > 1.0, 1.0 / tl.maximum(size, 1.0), size)
    w = z * z
    p = 2.76628348e-3 * w + -1.57312490e-2
    p = p * w + 4.21376235e-2
    p = p * w + -7.45685481e-2
    p = p * w + 1.06183706e-1
    p = p * w + -1.41977978e-1
    p = p * w + 1.99918720e-1
    p = p * w + -3.33330367e-1
    p = p * w + 9.99999982e-1
    angle = tl.where(size > 1.0, 1.57079632679 - p * z, p * z)
    return tl.where(x < 0.0, -angle, angle)


@triton.jit
def log(x):
    """Natural logarithm."""
    return tl.log(x)


@triton.jit
def sqrt(x):
    """Square root."""
    return tl.sqrt(x)
