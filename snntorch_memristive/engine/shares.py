"""A loop of compiled code that threads share."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import torch
from llvmlite import ir

from .machine import loaded
from .source import internal_function
from .threads import call
from .value import INTEGER, NUMBERS, Row, Value, where

REAL = NUMBERS["float32"]

NAME = "shared"
"""What the function is called."""

TASK = ("come", "count", "share")
"""Whole numbers before the arguments: how many threads have come, how many times there is something
to do, and how many of those are a thread's."""


def compiled(rows: int, numbers: int, body: Callable[..., None]) -> tuple[Any, int]:
    """What holds a function for :func:`run`, to be kept as long as that, and its address.

    The function takes so many ``rows`` of float32 and whole ``numbers``.
    ``body(builder, begin, count, *rows, *numbers)`` writes what a thread does from ``begin`` on,
    ``count`` times, in a function of its own; no row that it writes may overlap another.
    """
    module = ir.Module(NAME)
    function_type = ir.FunctionType(ir.VoidType(), [INTEGER.as_pointer()])
    function = ir.Function(module, function_type, NAME)
    builder = ir.IRBuilder(function.append_basic_block("start"))
    task = Row(builder, function.args[0])
    count, share, *given = (task[k] for k in range(1, len(TASK) + rows + numbers))
    begin = task.add(TASK.index("come"), 1) * share
    rest = count - begin
    own = where(rest < share, rest, share)

    pointer = REAL.as_pointer()
    parameters = [INTEGER, INTEGER, *[pointer] * rows, *[INTEGER] * numbers]
    part, inner = internal_function(module, "part", parameters)
    places = [builder.inttoptr(address.ir, pointer) for address in given[:rows]]
    builder.call(part, [begin.ir, own.ir, *places, *(number.ir for number in given[rows:])])
    builder.ret_void()
    kinds = [Value] * 2 + [Row] * rows + [Value] * numbers
    body(inner, *(kind(inner, a) for kind, a in zip(kinds, part.args, strict=True)))
    inner.ret_void()
    engine = loaded(str(module))
    return engine, engine.get_function_address(NAME)


def run(address: int, count: int, worth: int, arguments: Sequence[int]) -> None:
    """Call the function at ``address`` on as many threads as have ``worth`` to do each."""
    threads = max(1, min(torch.get_num_threads(), count // worth))
    task = array("q", [0, count, -(-count // threads), *arguments])
    call(address, task.buffer_info()[0], threads)
