"""Tensors as a compiled kernel sees them: an address and an offset."""

from numba import carray, njit, types
from numba.extending import intrinsic


@intrinsic
def _pointer(typing_context, address):
    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), generate


@njit
def view(like, address, offset, m):
    """``m`` numbers of the dtype of ``like``, ``offset`` numbers behind ``address``."""
    return carray(_pointer(address + offset * like.itemsize), m, like.dtype)


@njit
def copy(source, target, m):
    """Copy the first ``m`` numbers of one row to another."""
    for j in range(m):
        target[j] = source[j]


@njit
def clear(row, m):
    """Set the first ``m`` numbers of ``row`` to 0."""
    for j in range(m):
        row[j] = 0


@njit
def holds_nonsense(row, m):
    """Are there NaN or infinity among the first ``m`` numbers of ``row``?"""
    nonsense = False
    for j in range(m):
        nonsense |= row[j] - row[j] != 0
    return nonsense
