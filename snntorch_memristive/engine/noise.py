"""Noise of one read of a crossbar whose cells are all equally noisy, in one loop."""

from array import array
from functools import cache
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from ..philox import halves
from .arithmetic import FUNCTIONS
from .machine import loaded
from .philox import REAL, four_numbers
from .shares import NAME, generated, run
from .source import internal_function
from .value import INTEGER, Row, Value, loop

WORTH_A_THREAD = 8_000
"""Numbers, read or drawn, below which handing them to a second thread costs more than it saves."""


def read_noise(
    input_: Tensor,  # shape: (batch, inputs), float32 on the CPU
    outputs: int,
    width: float,
    always_on: float,
    seed: int,
) -> Tensor:  # shape: (batch, outputs)
    """Normal numbers of the variance ``width**2 * (sum(input_**2) + always_on)``.

    Those of :func:`snntorch_memristive.philox.numbers` times that width; a row of a batch begins
    with a number whose place is a multiple of four.
    """
    read = input_.contiguous()
    batch, inputs = read.shape
    fours = -(-outputs // 4)
    noise = torch.empty(batch, 4 * fours, dtype=torch.float32, device="cpu")
    given = array("f", [width, always_on])
    addresses = noise.data_ptr(), read.data_ptr(), given.buffer_info()[0], inputs, fours, seed
    a_row = max(1, inputs + 4 * fours)
    run(_compiled()[1], batch, -(-WORTH_A_THREAD // a_row), addresses)
    return noise[:, :outputs]


@cache
def _compiled() -> tuple[Any, int]:
    engine = loaded(generated(6, _write))
    return engine, engine.get_function_address(NAME)


def _write(
    builder: ir.IRBuilder,
    begin: Value,
    count: Value,
    noise: Value,
    read: Value,
    given: Value,
    inputs: Value,
    fours: Value,
    seed: Value,
) -> None:
    pointer = REAL.as_pointer()
    function, inner = internal_function(
        builder.module, "rows", [pointer, pointer, pointer, *[INTEGER] * 5]
    )
    places = [builder.inttoptr(each.ir, pointer) for each in (noise, read, given)]
    builder.call(function, [*places, *(v.ir for v in (begin, count, inputs, fours, seed))])
    noise_rows, read_rows, numbers = (Row(inner, argument) for argument in function.args[:3])
    begin, count, inputs, fours, seed = (Value(inner, argument) for argument in function.args[3:])
    width, always_on, zero = numbers[0], numbers[1], Value(inner, ir.Constant(INTEGER, 0))
    total = Row(inner, inner.alloca(REAL))
    with loop(inner, count) as k:
        row = begin + k
        total[0] = always_on
        inputs_of_row = read_rows + row * inputs
        with loop(inner, inputs) as j:
            x = inputs_of_row[j].reordered()
            total[0] = total[0] + x * x
        scale = width * FUNCTIONS["float32"]["sqrt"](total[0])
        into = noise_rows + row * fours * 4
        with loop(inner, fours) as j:
            four = four_numbers((row * fours + j, zero, zero, zero), halves(seed), uniform=False)
            for n, number in enumerate(four):
                into[j * 4 + n] = number * scale
    inner.ret_void()
