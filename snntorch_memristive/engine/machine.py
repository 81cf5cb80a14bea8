"""Machine code of LLVM's instructions, kept on disk so that it is made once."""

import ctypes
import ctypes.util
import sys
import threading
from functools import cache

import llvmlite
import llvmlite.binding as llvm

from .arithmetic import LIBRARY
from .cache import kept

_LOCK = threading.RLock()


def address(text: str, function: str) -> int:
    """Where the compiled ``function`` of the module ``text`` is in memory."""
    with _LOCK:
        return _loaded(text).get_function_address(function)


@cache
def _loaded(text: str) -> llvm.ExecutionEngine:
    stated = "\n".join([*_host(), llvmlite.__version__, text])
    code = kept(stated, lambda: _compiled(text))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _compiled(text: str) -> bytes:
    target = _target()
    module = llvm.parse_assembly(text)
    module.triple = target.triple
    module.data_layout = str(target.target_data)
    wanted = llvm.create_pipeline_tuning_options(speed_level=3)
    wanted.loop_vectorization = True
    passes = llvm.create_pass_builder(target, wanted)
    passes.getModulePassManager().run(module, passes)
    return target.emit_object(module)


@cache
def _host() -> tuple[str, str]:
    """The processor, and what it can do."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _target() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else ctypes.util.find_library("m"))
    for name in LIBRARY:
        function = ctypes.cast(getattr(library, name), ctypes.c_void_p)
        llvm.add_symbol(name, function.value)
    processor, features = _host()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=processor, features=features, opt=3, codemodel="jitdefault", jit=True
    )
