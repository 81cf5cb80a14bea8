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


def log_of_a_part(f):
    """log(1 + f) for 1 + f between 1/sqrt(2) and sqrt(2).

    What is behind f - f^2/2, over f^3, is interpolated like 2^r - 1; right to a relative 2.1e-8.
    """
    p = -7.90274377e-2 * f + 1.26223198e-1
    p = p * f + -1.29981838e-1
    p = p * f + 1.42144959e-1
    p = p * f + -1.66412815e-1
    p = p * f + 2.00010451e-1
    p = p * f + -2.50003064e-1
    p = p * f + 3.33333307e-1
    w = f * f
    return p * f * w + (w * -0.5 + f)


def cos_of_a_part(t):
    """Cosine of t turns, \\|t\\| <= 1/8. In t^2 interpolated like 2^r - 1; right to 3.9e-8."""
    w = t * t
    p = -8.35918168e1 * w + 6.49212343e1
    p = p * w + -1.97391521e1
    return p * w + 9.99999972e-1


def sin_of_a_part(t):
    """Sine of t turns, \\|t\\| <= 1/8. Over t, in t^2, interpolated like 2^r - 1; to 3.5e-9."""
    w = t * t
    p = -7.54016127e1 * w + 8.15925429e1
    p = p * w + -4.13416626e1
    p = p * w + 6.28318529
    return p * t
