"""The threads that torch computes with.

Threads of our own would wait for those of torch, which go on spinning for a while after their
work: up to some milliseconds for a kernel that takes one.
"""

import ctypes
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

_PROCESS = os.getpid()
"""The process that imported the package: ``engine`` imports this module with it."""

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def call(function: int, task: int, threads: int) -> None:
    """Call the compiled function at ``function`` with the address ``task`` on every thread.

    By the OpenMP library that torch has loaded, if there is one, and not in a process that was
    forked from one with this package, which OpenMP does not survive; then by threads of our own.
    """
    if threads > 1 and os.getpid() == _PROCESS and (openmp := _openmp()):
        openmp(function, task, threads, 0)
        return
    work = _FUNCTION(function)  # free of the interpreter's lock, as all that ctypes calls
    if threads == 1:
        work(task)
        return
    others: list[Future] = []
    try:
        others += (_pool(os.getpid(), threads - 1).submit(work, task) for _ in range(threads - 1))
        work(task)
    finally:
        wait(others)  # whatever happens here, they work on the caller's memory


@cache
def _openmp() -> "ctypes._NamedFuncPointer | None":
    """``GOMP_parallel(function, argument, threads, flags)``, under which name all have it."""
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None).GOMP_parallel
    except AttributeError:
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    function.restype = None
    return function


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this ``process``; those of the one that it was forked from are not there."""
    return ThreadPoolExecutor(threads, thread_name_prefix="snntorch_memristive")
