"""What threads that share a task agree by."""

from numba import types
from numba.extending import intrinsic


@intrinsic
def add(typing_context, numbers, index, amount):
    """Add ``amount`` to ``numbers[index]``, as one of several threads; return what was there."""

    def generate(context, builder, signature, arguments):
        numbers, index, amount = arguments
        return builder.atomic_rmw("add", builder.gep(numbers, [index]), amount, "monotonic")

    return types.int64(types.CPointer(types.int64), types.int64, types.int64), generate
