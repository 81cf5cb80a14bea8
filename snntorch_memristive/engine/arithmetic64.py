"""The elementary functions of float64, from the C library; exact, and not vectorised."""

import numpy as np
from numba import njit

from .arithmetic import reciprocal, where

atan, exp, exp2, log, sqrt, tanh = np.arctan, np.exp, np.exp2, np.log, np.sqrt, np.tanh


@njit
def exp2m1(y):
    """2^y - 1, without cancellation."""
    return np.expm1(y * 0.6931471805599453)


@njit(error_model="numpy")
def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 1.0 / (1.0 + np.exp(-z))


__all__ = ["atan", "exp", "exp2", "exp2m1", "log", "reciprocal", "sigmoid", "sqrt", "tanh", "where"]
