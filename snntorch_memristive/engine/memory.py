"""Tensors as a compiled kernel sees them: an address and an offset."""

from numba import carray, njit, types
from numba.extending import intrinsic


@intrinsic
def _pointer(typing_context, address):
    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), generate


@njit
def read(row, m, address, offset):
    """Copy ``m`` numbers, ``offset`` numbers behind ``address``, into ``row``."""
    source = carray(_pointer(address + offset * row.itemsize), m, row.dtype)
    for j in range(m):
        row[j] = source[j]


@njit
def write(row, m, address, offset):
    """Copy the first ``m`` numbers of ``row`` to ``offset`` numbers behind ``address``."""
    target = carray(_pointer(address + offset * row.itemsize), m, row.dtype)
    for j in range(m):
        target[j] = row[j]


@njit
def add(row, m, address, offset):
    """Add ``m`` numbers, ``offset`` numbers behind ``address``, to ``row``."""
    source = carray(_pointer(address + offset * row.itemsize), m, row.dtype)
    for j in range(m):
        row[j] += source[j]


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
