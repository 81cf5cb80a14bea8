"""Functions of numbers, on rows of them, in one loop."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from .dual import Dual
from .shares import compiled, run
from .value import Row, Value, loop

WORTH_A_THREAD = 16_000
"""Numbers below which handing them to a second thread costs more than it saves."""


class RowFunction:
    """``function``, of tensors of float32 element by element, for whole tensors at once.

    Args:
        function: takes ``rows`` and ``numbers`` by name and returns one result. It is called once,
            with a :class:`~.dual.Dual` for each of them.
        rows: names of arguments that are tensors, all of one shape, on the CPU.
        numbers: names of arguments that are one number each.
        variable: the row by which the derivative of the result is wanted; None for none.

    Raises:
        UntraceableError: if ``function`` does what no kernel can.
    """

    def __init__(
        self,
        function: Callable[..., Dual],
        rows: Sequence[str],
        numbers: Sequence[str],
        variable: str | None,
    ) -> None:
        self.rows, self.numbers, self.variable = tuple(rows), tuple(numbers), variable
        self._function = function
        self._engine, self._address = compiled(3 + len(self.rows), 0, self._write)

    def __call__(self, rows: Mapping[str, Tensor], numbers: Mapping[str, float]) -> Tensor:
        """The result, differentiable by the variable.

        Raises:
            ValueError: if the tensors differ in shape, or are not of float32 on the CPU.
        """
        read = [rows[name].detach().contiguous() for name in self.rows]
        shape = read[0].shape
        if any(t.shape != shape or t.dtype != torch.float32 or not t.is_cpu for t in read):
            kinds = {(tuple(t.shape), t.dtype, t.device.type) for t in read}
            raise ValueError(f"Expected tensors of float32 and of one shape, but got {kinds}.")
        result = torch.empty_like(read[0])
        slope = None if self.variable is None else torch.empty_like(result)
        given = array("f", [numbers[name] for name in self.numbers])
        written = [result.data_ptr(), 0 if slope is None else slope.data_ptr()]
        addresses = [*written, given.buffer_info()[0], *(row.data_ptr() for row in read)]
        run(self._address, result.numel(), WORTH_A_THREAD, addresses)
        if self.variable is None:
            return result
        return _WithSlope.apply(rows[self.variable], result, slope)

    def _write(
        self,
        builder: ir.IRBuilder,
        begin: Value,
        count: Value,
        result: Row,
        slope: Row,
        given: Row,
        *rows: Row,
    ) -> None:
        known = {name: Dual.read(given[k]) for k, name in enumerate(self.numbers)}
        result, slope, *sources = (row + begin for row in (result, slope, *rows))
        with loop(builder, count) as j:
            read = {
                name: Dual.read(row[j], name == self.variable)
                for name, row in zip(self.rows, sources, strict=True)
            }
            found = self._function(**known, **read)
            result[j] = found.value
            if self.variable is not None:
                slope[j] = found.slope_or_zero


class _WithSlope(torch.autograd.Function):
    """A result that is known, whose derivative is known."""

    @staticmethod
    def forward(ctx: Any, variable: Tensor, result: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return grads[0] * slope, None, None
