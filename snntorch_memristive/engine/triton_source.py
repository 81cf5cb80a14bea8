"""The text of a CUDA kernel: the program that the CPU runs, in Triton."""

import math
import re

from ..functional import Dynamics
from .layout import Layout
from .program import Phase, Program, trace

HEADER = '''"""Generated from the equations of {circuit}."""
import triton
import triton.language as tl
from snntorch_memristive.engine.triton_functions import (
    added, atan, exp2, exp2_within, exp2m1, log, log1p, reciprocal, reciprocal_within, sigmoid,
    sqrt, subtracted, tanh, where,
)
'''

PLACE = """    j = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = j < n
    n = tl.cast(n, tl.int64)"""


def generate(dynamics: Dynamics, plan: Layout) -> str:
    """Source of a module with the Triton kernels ``forward`` and ``backward``."""
    program = trace(dynamics, plan.learned, False)
    functions = [_function(name, phase) for name, phase in program.phases()]
    return "\n\n\n".join(
        [
            HEADER.format(circuit=type(dynamics.circuit).__name__),
            *functions,
            _forward(plan, program),
            _backward(plan, program),
        ]
    )


def _function(name: str, phase: Phase) -> str:
    """A phase as a function of what it reads, which returns what it writes."""
    lines = [re.sub(r"F\(([^()]*)\)", _number, line) for line in phase.lines]
    # A number, where a derivative is constant, would have no shape.
    like = phase.reads[0] if phase.reads else "0.0"
    results = ", ".join(f"new_{row} + 0.0 * {like}" for row in phase.writes)
    body = [f"    {line}" for line in [*lines, f"return {results}"]]
    return "\n".join(["@triton.jit", f"def {name}({', '.join(phase.reads)}):", *body])


def _number(written: re.Match) -> str:
    is_finite = math.isfinite(float(written[1]))
    return f"({written[1]})" if is_finite else f'float("{written[1]}")'


def _call(name: str, phase: Phase, renamed: dict[str, str], results: dict[str, str]) -> str:
    read = ", ".join(renamed.get(row, row) for row in phase.reads)
    return f"{', '.join(results.get(row, row) for row in phase.writes)} = {name}({read})"


def _head(name: str, addresses: list[str]) -> list[str]:
    pointers = ", ".join(f"p_{address}" for address in addresses)
    signature = f"def {name}({pointers}, n, steps, BLOCK: tl.constexpr):"
    return ["@triton.jit", signature, PLACE]


def _coefficients(plan: Layout) -> list[str]:
    per_neuron = "{0} = tl.load(p_{0} + j, mask=inside, other=1.0)"
    return [
        "    " + (per_neuron if name in plan.per_neuron else "{0} = tl.load(p_{0})").format(name)
        for name in plan.coefficients
    ]


def _load(name: str, address: str, offset: str = "j") -> str:
    return f"{name} = tl.load(p_{address} + {offset}, mask=inside, other=0.0)"


def _store(name: str, address: str, offset: str = "j") -> str:
    return f"tl.store(p_{address} + {offset}, {name}, mask=inside)"


def _stored(plan: Layout, k: int) -> str:
    return f"((t - 1) * {len(plan.carried)} + {k}) * n + j"


def _forward(plan: Layout, program: Program) -> str:
    lines = [*_head("forward", plan.forward), *_coefficients(plan)]
    lines += ["    " + _load(name, f"{name}_before") for name in plan.carried]
    body = ["if p_stored is not None:", "    if t > 0:"]
    body += [f"        {_store(n, 'stored', _stored(plan, k))}" for k, n in enumerate(plan.carried)]
    body += [_load("input_", "input_", "t * n + j"), _call("enter", program.enter, {}, {})]
    body += [_call("substep", program.substep, {}, {})] * plan.substeps
    body += [_call("leave", program.leave, {}, {})]
    body += [_store(name, name, "t * n + j") for name in plan.outputs]
    lines += ["    for t in range(steps):", *(f"        {line}" for line in body)]
    lines += ["    " + _store(name, f"{name}_after") for name in plan.memristors]
    return "\n".join(lines)


def _backward(plan: Layout, program: Program) -> str:
    lines = [*_head("backward", plan.backward), *_coefficients(plan)]
    lines += [f"    g_{name} = tl.zeros((BLOCK,), tl.float32)" for name in plan.carried]
    for name in plan.memristors:
        lines += [f"    if p_g_{name}_after is not None:"]
        lines += ["        " + _load(f"g_{name}", f"g_{name}_after")]
    lines += [f"    g_{name} = tl.zeros((BLOCK,), tl.float32)" for name in plan.learned]
    lines += ["    for back in range(steps):", "        t = steps - 1 - back"]
    lines += [f"        {line}" for line in _step_back(plan, program)]
    lines += ["    " + _store(f"g_{name}", f"g_{name}_before") for name in plan.carried]
    lines += ["    " + _store(f"g_{name}", f"g_{name}") for name in plan.learned]
    return "\n".join(lines)


def _step_back(plan: Layout, program: Program) -> list[str]:
    first = {name: f"{name}_0" for name in ("mem", *plan.states)}
    lines = ["if t == 0:"]
    lines += ["    " + _load(first[name], f"{name}_before") for name in plan.carried]
    lines += ["else:"]
    for k, name in enumerate(plan.carried):
        lines += ["    " + _load(first[name], "stored", _stored(plan, k))]
    lines += [_load("input_", "input_", "t * n + j")]
    lines += [_call("enter", program.enter, first, first)]
    for s in range(plan.substeps):
        now = {name: f"{name}_{s}" for name in (*plan.states, *program.kept)}
        after = {name: f"{name}_{s + 1}" for name in plan.states}
        lines += [_call("substep_kept", program.substep_kept, now, now | after)]
    for name in plan.outputs:
        given = "g_mem_given" if name == "mem" else f"g_{name}"
        lines += [f"{given} = tl.zeros((BLOCK,), tl.float32)"]
        lines += [f"if p_g_{name} is not None:"]
        lines += ["    " + _load(given, f"g_{name}", "t * n + j")]
    last = {name: f"{name}_{plan.substeps}" for name in plan.states}
    lines += [_call("leave_back", program.leave_back, last, {})]
    lines += ["g_i_in = tl.zeros((BLOCK,), tl.float32)"]
    for s in reversed(range(plan.substeps)):
        now = {name: f"{name}_{s}" for name in (*plan.states, *program.kept)}
        lines += [_call("substep_back", program.substep_back, now, {})]
    lines += [_call("enter_back", program.enter_back, first, {})]
    return [*lines, _store("g_input_", "g_input_", "t * n + j")]
