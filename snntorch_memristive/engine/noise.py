"""Noise of one read of a crossbar whose cells are all equally noisy, in one loop."""

from array import array
from functools import cache
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from ..philox import WORD, halves
from .arithmetic import FUNCTIONS
from .philox import four_numbers
from .shares import REAL, compiled, run
from .value import INTEGER, Row, Value, loop

WORTH_A_THREAD = 8_000
"""Numbers, read or drawn, below which handing them to a second thread costs more than it saves."""

TURN = WORD
"""Of the draws at a place: no chip draws so often, and a seed may be that of both."""


def read_noise(
    input_: Tensor,  # shape: (batch, inputs), float32 on the CPU
    outputs: int,
    width: float,
    always_on: float,
    seed: int,
) -> Tensor:  # shape: (batch, outputs)
    """Normal numbers of the variance ``width**2 * (sum(input_**2) + always_on)``.

    Those of :func:`snntorch_memristive.philox.numbers` of :data:`TURN` times that width; a row of
    a batch begins with a number whose place is a multiple of four.
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
    return compiled(3, 3, _write)


def _write(
    builder: ir.IRBuilder,
    begin: Value,
    count: Value,
    noise: Row,
    read: Row,
    given: Row,
    inputs: Value,
    fours: Value,
    seed: Value,
) -> None:
    width, always_on = given[0], given[1]
    turn, zero = (Value(builder, ir.Constant(INTEGER, number)) for number in (TURN, 0))
    total = Row(builder, builder.alloca(REAL))
    with loop(builder, count) as k:
        row = begin + k
        total[0] = always_on
        own = read + row * inputs
        with loop(builder, inputs) as j:
            x = own[j].reordered()
            total[0] = total[0] + x * x
        scale = width * FUNCTIONS["float32"]["sqrt"](total[0])
        into = noise + row * fours * 4
        with loop(builder, fours) as j:
            counter = row * fours + j, turn, zero, zero
            for n, number in enumerate(four_numbers(counter, halves(seed), uniform=False)):
                into[j * 4 + n] = number * scale
