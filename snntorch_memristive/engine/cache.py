"""What is generated, kept on disk so that it is compiled once."""

import atexit
import hashlib
import importlib.util
import inspect
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType

DIGEST = 32
"""Bytes before compiled code that say whether it is whole."""

_LOCK = threading.RLock()


def load(text: str, foundations: Sequence[ModuleType] = ()) -> ModuleType:
    """The module whose source is ``text`` and that builds on the modules ``foundations``.

    The source, and beside it what a compiler keeps, is in :func:`cache_folder`, under a name
    that changes with the text and the foundations. Several processes may load it at once. Where
    that folder cannot be written, one for this process alone takes its place.
    """
    stated = "".join([text, *map(source_of, foundations)])
    name = f"snntorch_memristive_kernel_{hashlib.sha256(stated.encode()).hexdigest()[:16]}"
    with _LOCK:
        if name not in sys.modules:
            try:
                path = _stored(cache_folder(), name, text)
            except (OSError, RuntimeError):  # RuntimeError: nobody's home
                path = _stored(_own_folder(os.getpid()), name, text)
            sys.modules[name] = _executed(name, path)
        return sys.modules[name]


def kept(text: str, make: Callable[[], bytes]) -> bytes:
    """What ``make`` makes of ``text``, from :func:`cache_folder` if it is there.

    Several processes may ask at once. Where that folder cannot be written, it is made anew.
    """
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.o"
    with suppress(OSError, RuntimeError):
        content = (cache_folder() / name).read_bytes()
        if content[:DIGEST] == hashlib.sha256(content[DIGEST:]).digest():
            return content[DIGEST:]
    made = make()
    with suppress(OSError, RuntimeError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        _write(cache_folder() / name, hashlib.sha256(made).digest() + made)
    return made


def _executed(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # as it is for a file of Python
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cache_folder() -> Path:
    """Where kernels are kept: ``snntorch_memristive`` in the user's folder for caches."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "snntorch_memristive"


@cache
def source_of(module: ModuleType) -> str:
    """The text of ``module``."""
    return inspect.getsource(module)


def _stored(folder: Path, name: str, text: str) -> Path:
    compiled = folder / "__pycache__"
    compiled.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    if not (path.exists() and path.read_text() == text):
        _write(path, text.encode())
    if not os.access(compiled, os.W_OK):
        raise PermissionError(compiled)
    return path


def _write(path: Path, content: bytes) -> None:
    """All of ``content``, or nothing, whoever reads or writes it at the same time."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        try:
            draft.write(content)
            draft.close()
            Path(draft.name).replace(path)
        except OSError:
            Path(draft.name).unlink()
            raise


@cache
def _own_folder(process: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"snntorch_memristive_{process}_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
