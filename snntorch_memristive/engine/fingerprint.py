"""All numbers of a tensor in one."""

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir
from torch import Tensor

from .machine import loaded
from .value import INTEGER, NUMBERS, Row, Value, loop

NAME = "fingerprint"
"""What the function is called."""

LANES, SUMS = 8, 8
"""Words of 64 bits that are taken at once, into one of so many sums: a product takes its time."""

PRIMES = 0x9E3779B1, 0xC2B2AE3D
"""By which the low and the high half of a word are multiplied. A bit of a half reaches 32 bits, so
another word undoes it only if it changes in about ten bits, and in just these."""


def fingerprint(tensor: Tensor) -> int:
    """Of the numbers in ``tensor``, which is of real numbers, contiguous and on the CPU.

    The same for 0 and -0. If numbers change, it stays the same once in 2^64 times; more often only
    if they are changed for that, in many bits that belong together.
    """
    _, function = _compiled(8 * tensor.element_size())
    return function(tensor.data_ptr(), tensor.numel())


@cache
def _compiled(bits: int) -> tuple[Any, Any]:
    """What holds the function for numbers of so many ``bits``, and the function."""
    engine = loaded(_module(bits))
    prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t)
    return engine, prototype(engine.get_function_address(NAME))


def _module(bits: int) -> str:
    module, number = ir.Module(NAME), ir.IntType(bits)
    function_type = ir.FunctionType(INTEGER, [number.as_pointer(), INTEGER])
    function = ir.Function(module, function_type, NAME)
    builder = ir.IRBuilder(function.append_basic_block("start"))
    numbers, count = Row(builder, function.args[0]), Value(builder, function.args[1])
    words, in_a_word = ir.VectorType(INTEGER, LANES), INTEGER.width // bits
    several = ir.VectorType(number, LANES * in_a_word)

    def word(offset: Any, type_: ir.Type) -> ir.Value:
        at = builder.bitcast((numbers + offset).ir, type_.as_pointer())
        return _unsigned_zero(builder, builder.load(at, align=bits // 8))

    total, *sums = (builder.alloca(type_) for type_ in (INTEGER, *[words] * SUMS))
    builder.store(_of(INTEGER, 0), total)
    for place in sums:
        builder.store(_of(words, 1), place)
    stride = several.count * SUMS
    rounds = count // stride
    with loop(builder, rounds) as k:
        for j, place in enumerate(sums):
            read = word(k * stride + j * several.count, several)
            _take(builder, place, builder.bitcast(read, words))
    with loop(builder, count - rounds * stride) as k:
        left = word(rounds * stride + k, number)
        _take(builder, total, left if number == INTEGER else builder.zext(left, INTEGER))
    for place in sums:
        for lane in range(LANES):
            _take(builder, total, builder.extract_element(builder.load(place), _of(INTEGER, lane)))
    builder.ret(builder.load(total))
    return str(module)


def _of(type_: ir.Type, number: int) -> ir.Constant:
    return ir.Constant(
        type_, [number] * type_.count if isinstance(type_, ir.VectorType) else number
    )


def _unsigned_zero(builder: ir.IRBuilder, read: ir.Value) -> ir.Value:
    """0 where there is -0."""
    width = getattr(read.type, "element", read.type).width
    if width == 16:  # for which a processor may have no sum
        is_minus = builder.icmp_signed("==", read, _of(read.type, 1 << width - 1))
        return builder.select(is_minus, _of(read.type, 0), read)
    real: ir.Type = NUMBERS[f"float{width}"]
    if isinstance(read.type, ir.VectorType):
        real = ir.VectorType(real, read.type.count)
    return builder.bitcast(builder.fadd(builder.bitcast(read, real), _of(real, 0)), read.type)


def _take(builder: ir.IRBuilder, place: ir.Value, word: ir.Value) -> None:
    """A word into the sum at ``place``, or several words into as many sums."""
    mixed = builder.xor(builder.load(place), word)
    halves = (
        builder.and_(mixed, _of(word.type, (1 << 32) - 1)),
        builder.lshr(mixed, _of(word.type, 32)),
    )
    products = [
        builder.mul(half, _of(word.type, prime)) for half, prime in zip(halves, PRIMES, strict=True)
    ]
    builder.store(builder.add(*products), place)
