"""Elementary functions of float32 that a compiler can vectorise.

LLVM vectorises arithmetic, but calls the C library for every single ``exp``. These are written
in arithmetic only, right to about one unit in the last place. The polynomial is (2^r - 1) / r,
interpolated on Chebyshev's points of [-1/2, 1/2]; it is right to a relative 2.1e-8.
"""

import numpy as np
from numba import njit

F = np.float32
EXACT = {"contract", "nsz"}
"""What may be rearranged here: products and sums fused, nothing reordered."""
ESTIMATED = EXACT | {"arcp", "ninf"}
"""A division may become an estimate and one step of Newton's method: half the time, 2 ulp."""


@njit(fastmath=EXACT)
def where(condition, a, b):
    """``a`` where ``condition`` holds, else ``b``."""
    return a if condition else b


@njit(fastmath=ESTIMATED, error_model="numpy")
def reciprocal(x):
    """1 / x, for x whose reciprocal is finite."""
    return F(1.0) / x


@njit(fastmath=EXACT)
def _split(y):
    """2^n and 2^r - 1 with y = n + r, n whole and \\|r\\| <= 1/2; y is held inside [-126, 127]."""
    y = where(y < F(127.0), y, F(127.0))
    y = where(y > F(-126.0), y, F(-126.0))
    shifted = y + F(12582912.0)  # 1.5 * 2^23: what is left of y is whole, in the last bits
    r = y - (shifted - F(12582912.0))
    power = (F(shifted).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)
    p = F(1.5461447e-4)
    p = p * r + F(1.3390867e-3)
    p = p * r + F(9.6180569e-3)
    p = p * r + F(5.5503570e-2)
    p = p * r + F(2.4022651e-1)
    p = p * r + F(6.9314718e-1)
    return np.int32(power).view(np.float32), p * r


@njit(fastmath=EXACT)
def exp2(y):
    """2^y for y in [-126, 127]; its value at the bound beyond."""
    power, rest = _split(y)
    return rest * power + power


@njit(fastmath=EXACT)
def exp2m1(y):
    """2^y - 1, without cancellation; its value at the bound beyond [-126, 127]."""
    power, rest = _split(y)
    return rest * power + (power - F(1.0))


@njit(fastmath=EXACT)
def exp(z):
    """e^z for z in [-87, 88]; its value at the bound beyond."""
    return exp2(z * F(1.44269504088896341))


@njit(fastmath=EXACT, error_model="numpy")
def sigmoid(z):
    """1 / (1 + e^-z)."""
    return reciprocal(F(1.0) + exp(-z))


@njit(fastmath=EXACT, error_model="numpy")
def tanh(z):
    """Hyperbolic tangent, without cancellation."""
    y = exp2m1(F(2.8853900817779268) * z)
    return y / (y + F(2.0))


@njit(fastmath=EXACT, error_model="numpy")
def atan(x):
    """Inverse tangent. The polynomial is atan(z) / z in z^2, interpolated like that of exp2."""
    size = abs(x)
    z = where(size > F(1.0), reciprocal(where(size > F(1.0), size, F(1.0))), size)
    w = z * z
    p = F(2.76628348e-3)
    p = p * w + F(-1.57312490e-2)
    p = p * w + F(4.21376235e-2)
    p = p * w + F(-7.45685481e-2)
    p = p * w + F(1.06183706e-1)
    p = p * w + F(-1.41977978e-1)
    p = p * w + F(1.99918720e-1)
    p = p * w + F(-3.33330367e-1)
    p = p * w + F(9.99999982e-1)
    angle = where(size > F(1.0), F(1.57079632679) - p * z, p * z)
    return where(x < F(0.0), -angle, angle)


log, sqrt = np.log, np.sqrt

__all__ = ["atan", "exp", "exp2", "exp2m1", "log", "reciprocal", "sigmoid", "sqrt", "tanh", "where"]
