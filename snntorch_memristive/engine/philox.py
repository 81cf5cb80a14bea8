"""The numbers of :mod:`snntorch_memristive.philox`, by kernels for the CPU."""

from functools import cache, partial
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from ..philox import halves, words
from .arithmetic import EXACT, FUNCTIONS
from .polynomials import cos_of_a_part, log_of_a_part, sin_of_a_part
from .shares import REAL, compiled, run
from .value import Row, Value, loop, rearranged, where

WORTH_A_THREAD = 4_000
"""Times four numbers below which handing them to a second thread costs more than it saves."""

WHOLE = ir.IntType(32)


def numbers(seed: int, place: int, count: int, uniform: bool, turn: int = 0) -> Tensor:
    """Those of :func:`snntorch_memristive.philox.numbers`, to float32's rounding."""
    fours = -(-count // 4)
    found = torch.empty(4 * fours, dtype=torch.float32, device="cpu")
    _, address = _compiled(uniform)
    run(address, fours, WORTH_A_THREAD, (found.data_ptr(), seed, place, turn))
    return found[:count]


@cache
def _compiled(uniform: bool) -> tuple[Any, int]:
    return compiled(1, 3, partial(_write, uniform))


def _write(
    uniform: bool,
    builder: ir.IRBuilder,
    begin: Value,
    count: Value,
    into: Row,
    seed: Value,
    place: Value,
    turn: Value,
) -> None:
    row = into + begin * 4
    with loop(builder, count) as k:
        four = four_numbers((begin + k, turn, *halves(place)), halves(seed), uniform)
        for n, number in enumerate(four):
            row[k * 4 + n] = number


def four_numbers(counter: tuple[Any, ...], key: tuple[Any, Any], uniform: bool) -> list[Value]:
    """The numbers that four words become."""
    four = words(counter, key)
    if uniform:
        return [_real(word >> 8) * 2.0**-24 for word in four]
    return [number for pair in (four[:2], four[2:]) for number in _normal(*pair)]


def _real(whole: Value) -> Value:
    """A whole number of up to 31 bits, with its sign, as one of float32."""
    builder = whole.builder
    return Value(builder, builder.sitofp(builder.trunc(whole.ir, WHOLE), REAL), EXACT)


def _normal(size: Value, angle: Value) -> tuple[Value, Value]:
    """Two independent numbers of unit variance from two words (G. E. P. Box, M. E. Muller)."""
    radius = FUNCTIONS["float32"]["sqrt"](_log(_real((size >> 8) + 1) * 2.0**-24) * -2.0)
    quarter = angle + (1 << 29) >> 30  # the nearest one
    turns = _real(angle - (quarter << 30)) * 2.0**-32
    cos, sin = cos_of_a_part(turns), sin_of_a_part(turns)
    is_odd = quarter & 1 == 1
    along, across = where(is_odd, sin, cos), where(is_odd, cos, sin)
    along = where(quarter + 1 & 2 == 2, -along, along)
    across = where(quarter & 2 == 2, -across, across)
    return radius * along, radius * across


@rearranged(EXACT)
def _log(x: Value) -> Value:
    """The natural logarithm of x > 0 that is not denormal."""
    bits = x.bits(WHOLE)
    power = bits - 0x3F3504F3 >> 23  # x = 2^power (1 + f), with 1 + f from 1/sqrt(2) to sqrt(2)
    f = (bits - (power << 23)).bits(REAL) - 1.0
    whole = Value(x.builder, x.builder.sitofp(power.ir, REAL), x.flags)
    return whole * 0.69314718056 + log_of_a_part(f)
