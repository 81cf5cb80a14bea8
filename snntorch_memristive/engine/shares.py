"""A loop of compiled code that threads share."""

from array import array
from collections.abc import Callable, Sequence

import torch
from llvmlite import ir

from .threads import call
from .value import INTEGER, Row, where

NAME = "shared"
"""What the function is called."""

TASK = ("come", "count", "share")
"""Whole numbers before the arguments: how many threads have come, how many times there is something
to do, and how many of those are a thread's."""


def generated(arguments: int, body: Callable[..., None]) -> str:
    """A module of LLVM. ``body(builder, begin, count, *arguments)`` writes what a thread
    does from ``begin`` on, ``count`` times, with so many ``arguments``: all are whole numbers.
    """
    module = ir.Module(NAME)
    function_type = ir.FunctionType(ir.VoidType(), [INTEGER.as_pointer()])
    function = ir.Function(module, function_type, NAME)
    builder = ir.IRBuilder(function.append_basic_block("start"))
    task = Row(builder, function.args[0])
    count, share, *given = (task[k] for k in range(1, len(TASK) + arguments))
    begin = task.add(TASK.index("come"), 1) * share
    rest = count - begin
    body(builder, begin, where(rest < share, rest, share), *given)
    builder.ret_void()
    return str(module)


def run(address: int, count: int, worth: int, arguments: Sequence[int]) -> None:
    """Call the function at ``address`` on as many threads as have ``worth`` to do each."""
    threads = max(1, min(torch.get_num_threads(), count // worth))
    task = array("q", [0, count, -(-count // threads), *arguments])
    call(address, task.buffer_info()[0], threads)
