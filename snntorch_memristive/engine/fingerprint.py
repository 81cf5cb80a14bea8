"""All numbers of a tensor in one."""

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir
from torch import Tensor

from .machine import loaded
from .value import INTEGER, Row, Value, loop

NAME = "fingerprint"
"""What the function is called."""

LANES, SUMS = 8, 8
"""Words of 64 bits that are taken at once, into one of so many sums: a product takes its time."""

ODD = 0x9E3779B97F4A7C15
"""2^64 / golden ratio; whoever knows the product knows the factor."""

TURN, OTHER_TURN = 29, 17
"""Bits by which a sum is turned, as a product carries nothing from a high bit to a low one, and by
which the second word of a pair is, so that two changes of the same bits do not cancel."""


def fingerprint(tensor: Tensor) -> int:
    """Of the numbers in ``tensor``, which is of real numbers, contiguous and on the CPU.

    The same for 0 and -0. Every step can be undone: if one number changes, so does the
    fingerprint, and if several do, it stays the same once in 2^64 times.
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
    stride = 2 * several.count * SUMS
    rounds = count // stride
    with loop(builder, rounds) as k:
        for j, place in enumerate(sums):
            offsets = (k * stride + (2 * j + half) * several.count for half in range(2))
            pair = (builder.bitcast(word(offset, several), words) for offset in offsets)
            _take(builder, place, *pair)
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
    is_minus = builder.icmp_signed("==", read, _of(read.type, 1 << width - 1))
    return builder.select(is_minus, _of(read.type, 0), read)


def _take(
    builder: ir.IRBuilder, place: ir.Value, word: ir.Value, other: ir.Value | None = None
) -> None:
    """Two words into the sum at ``place``, or several pairs of them into as many sums."""
    turned = _turned(builder, builder.load(place), TURN)
    after = builder.mul(builder.xor(turned, word), _of(word.type, ODD))
    if other is not None:
        after = builder.add(after, _turned(builder, other, OTHER_TURN))
    builder.store(after, place)


def _turned(builder: ir.IRBuilder, word: ir.Value, by: int) -> ir.Value:
    high = builder.shl(word, _of(word.type, by))
    return builder.or_(high, builder.lshr(word, _of(word.type, INTEGER.width - by)))
