"""Polynomials of elementary functions of float32, in arithmetic alone, for whoever compiles it."""


def exp2_of_a_part(r):
    """2^r - 1 for \\|r\\| <= 1/2.

    Over r it is interpolated on Chebyshev's points; right to a relative 2.1e-8.
    """
    p = 1.5461447e-4 * r + 1.3390867e-3
    p = p * r + 9.6180569e-3
    p = p * r + 5.5503570e-2
    p = p * r + 2.4022651e-1
    p = p * r + 6.9314718e-1
    return p * r


def atan_of_a_part(z):
    """Inverse tangent of z in [0, 1]. Over z, in z^2, it is interpolated like 2^r - 1."""
    w = z * z
    p = 2.76628348e-3 * w + -1.57312490e-2
    p = p * w + 4.21376235e-2
    p = p * w + -7.45685481e-2
    p = p * w + 1.06183706e-1
    p = p * w + -1.41977978e-1
    p = p * w + 1.99918720e-1
    p = p * w + -3.33330367e-1
    p = p * w + 9.99999982e-1
    return p * z
