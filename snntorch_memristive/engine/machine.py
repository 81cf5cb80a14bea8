"""Machine code of LLVM's instructions, kept on disk so that it is made once."""

import ctypes
import ctypes.util
import sys
import threading
from functools import cache

import llvmlite
import llvmlite.binding as llvm

from .arithmetic import LIBRARY
from .cache import kept, source_of

_LOCK = threading.RLock()


def loaded(text: str) -> llvm.ExecutionEngine:
    """The module ``text``, compiled; it is in memory as long as what is returned."""
    with _LOCK:
        target = _target()
        made_how = source_of(sys.modules[__name__])
        stated = "\n".join([target.triple, *_host(), llvmlite.__version__, made_how, text])
        code = kept(stated, lambda: _compiled(text))
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)  # target is its now
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


def _target() -> llvm.TargetMachine:
    _prepare()
    processor, features = _host()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=processor, features=features, opt=3, codemodel="jitdefault", jit=True
    )


@cache
def _host() -> tuple[str, str]:
    """The processor, and what it can do.

    For Intel's, LLVM by itself takes half of the widest vectors: the first processors that had
    them slowed down meanwhile. Those with AVX512-VBMI2 do not.
    """
    features = llvm.get_host_cpu_features()
    if features.get("avx512vbmi2"):
        features["prefer-256-bit"] = False
    return llvm.get_host_cpu_name(), features.flatten()


@cache
def _prepare() -> None:
    """LLVM for this machine, and where the C library is."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else ctypes.util.find_library("m"))
    for name in LIBRARY:
        function = ctypes.cast(getattr(library, name), ctypes.c_void_p)
        llvm.add_symbol(name, function.value)
