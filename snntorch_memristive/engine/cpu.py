"""Kernels for the CPU: generated, compiled by numba, and kept on disk."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import torch

from . import arithmetic, arithmetic64, memory

WORTH_A_THREAD = 40_000
"""Sub-steps of neurons below which handing them to a second thread costs more than it saves."""

ALIGNED = 16
"""Neurons of a share come in this many, so that vectors are full."""


def load(text: str) -> ModuleType:
    """The module whose source is ``text``, compiled when first called or read from the cache.

    Several processes may do so at once. Where the cache cannot be written, what is compiled
    serves this process only.
    """
    digest = hashlib.sha256((text + _foundations()).encode()).hexdigest()[:16]
    name = f"snntorch_memristive_kernel_{digest}"
    try:
        path = _stored(cache_folder() / f"{name}.py", text)
        module = _imported(name, path)
    except OSError:
        module = ModuleType(name)
        exec(compile(text.replace("cache=True", "cache=False"), name, "exec"), module.__dict__)
    return module


def cache_folder() -> Path:
    """Where kernels are kept: ``snntorch_memristive`` in the user's folder for caches."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "snntorch_memristive"


@cache
def _foundations() -> str:
    """What the generated text builds on; a kernel compiled on top of anything else is stale."""
    files = [Path(module.__file__).read_text() for module in (arithmetic, arithmetic64, memory)]
    return "".join([*files, numba.__version__])


def _stored(path: Path, text: str) -> Path:
    if not (path.exists() and path.read_text() == text):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(text)
        draft.replace(path)
    (path.parent / "__pycache__").mkdir(exist_ok=True)
    if not os.access(path.parent / "__pycache__", os.W_OK):
        raise PermissionError(path.parent)
    return path


def _imported(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def share(function: Callable[..., bool], neurons: int, work: int, *args: Any) -> bool:
    """Call ``function(begin, end, *args)`` for all neurons, on as many threads as torch uses.

    Returns whether any of the calls returned True.
    """
    threads = min(torch.get_num_threads(), work // WORTH_A_THREAD, neurons // ALIGNED)
    if threads <= 1:
        return function(0, neurons, *args)
    size = -(-neurons // (threads * ALIGNED)) * ALIGNED
    shares = [(k, min(k + size, neurons)) for k in range(0, neurons, size)]
    others = [_pool(os.getpid(), threads - 1).submit(function, *s, *args) for s in shares[1:]]
    answers = [function(*shares[0], *args), *(other.result() for other in others)]
    return any(answers)


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="snntorch_memristive")
