"""The text of a CPU kernel: a program's phases in loops over time, blocks and neurons."""

from dataclasses import dataclass

from ..functional import Dynamics
from .program import Phase, trace

BLOCK = 512
"""Neurons that are taken through time together; their states stay in the fastest memory."""

TRACED = 16
"""About how many sub-steps are computed again at a time in the backward pass."""

HEADER = '''"""Generated from {dynamics!r}."""
import numpy as np
from numba import njit
from snntorch_memristive.engine.{arithmetic} import *
from snntorch_memristive.engine.memory import add, clear, copy, holds_nonsense, read, write

F = np.{dtype}
FAST = {{"contract", "arcp", "nsz", "reassoc"}}
'''


@dataclass(frozen=True)
class Layout:
    """What a kernel is given, in order, and how it is cut."""

    states: tuple[str, ...]
    memristors: tuple[str, ...]
    coefficients: tuple[str, ...]
    per_neuron: frozenset[str]
    """Coefficients that have a value for every neuron; the others are one number."""
    learned: tuple[str, ...]
    """Coefficients that get derivatives."""
    spikes: bool
    """Does the kernel send spikes, or only the membrane?"""
    chunk: int
    """Time steps between two stored states."""
    substeps: int

    @property
    def carried(self) -> tuple[str, ...]:
        """What goes from one time step to the next."""
        return ("mem", *self.memristors)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is recorded at every time step."""
        return ("mem", "spk") if self.spikes else ("mem",)

    @property
    def forward(self) -> list[str]:
        """Addresses that the forward pass takes."""
        return [
            "input_",
            *(f"{name}_before" for name in self.carried),
            *self.coefficients,
            *self.outputs,
            *(f"{name}_after" for name in self.memristors),
            "stored",
        ]

    @property
    def backward(self) -> list[str]:
        """Addresses that the backward pass takes; 0 for a derivative that is none."""
        return [
            "input_",
            *(f"{name}_before" for name in self.carried),
            *self.coefficients,
            "stored",
            *(f"g_{name}" for name in self.outputs),
            *(f"g_{name}_after" for name in self.memristors),
            "g_input_",
            *(f"g_{name}_before" for name in self.carried),
            *(f"g_{name}" for name in self.learned),
        ]


def layout(dynamics: Dynamics, per_neuron: frozenset[str], learned: tuple[str, ...]) -> Layout:
    """How a kernel of ``dynamics`` is laid out."""
    return Layout(
        states=dynamics.circuit.states,
        memristors=dynamics.memristors,
        coefficients=dynamics.coefficients,
        per_neuron=per_neuron,
        learned=learned,
        spikes=dynamics.spike != "binary",
        chunk=max(1, TRACED // dynamics.substeps),
        substeps=dynamics.substeps,
    )


def generate(dynamics: Dynamics, plan: Layout, dtype: str) -> str:
    """Source of a module with the functions ``forward`` and ``backward``.

    ``forward`` returns whether there is NaN or infinity in the input.
    """
    program = trace(dynamics, plan.learned, is_double=dtype == "float64")
    arithmetic = "arithmetic" if dtype == "float32" else "arithmetic64"
    vectors = [name for name in plan.coefficients if name in plan.per_neuron]
    own = ["input_", "i_in", *plan.outputs, *plan.states, *vectors]
    own += [f"g_{name}" for name in ("input_", "i_in", *plan.outputs, *plan.states, *plan.learned)]
    rows = {name: k for k, name in enumerate(own)}
    parts = [HEADER.format(dynamics=dynamics, arithmetic=arithmetic, dtype=dtype)]
    for name, phase in vars(program).items():
        parts.append(_loop(name, phase, rows, plan))
    parts += [_forward(plan, rows), _backward(plan, rows)]
    return "\n\n".join(parts)


def _scalars(plan: Layout) -> list[str]:
    return [name for name in plan.coefficients if name not in plan.per_neuron]


def _row(rows: dict[str, int], name: str) -> str:
    return f"w[{rows[name] * BLOCK}:{(rows[name] + 1) * BLOCK}]"


def _loop(name: str, phase: Phase, rows: dict[str, int], plan: Layout) -> str:
    read = [row for row in phase.reads if row in rows]
    used = dict.fromkeys([*read, *phase.writes])
    lines = [f"def {name}({', '.join(['m', 'w', *_scalars(plan)])}):"]
    lines += [f"    r_{row} = {_row(rows, row)}" for row in used]
    lines += ["    for j in range(m):"]
    lines += [f"        {row} = r_{row}[j]" for row in read]
    lines += [f"        {line}" for line in phase.lines]
    lines += [f"        r_{row}[j] = new_{row}" for row in phase.writes]
    return "\n".join(['@njit(fastmath=FAST, error_model="numpy")', *lines])


class _Text:
    """Lines with indentation."""

    def __init__(self, plan: Layout, rows: dict[str, int], addresses: list[str]) -> None:
        self.lines: list[str] = []
        self.plan = plan
        self.rows = rows
        self.places = {name: k for k, name in enumerate(addresses)}

    def put(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def move(self, depth: int, function: str, row: str, address: str, offset: str) -> None:
        place = self.places[address]
        self.put(depth, f"{function}({_row(self.rows, row)}, m, a[{place}], {offset})")

    def call(self, depth: int, phase: str) -> None:
        self.put(depth, f"{phase}({', '.join(['m', 'w', *_scalars(self.plan)])})")

    def start(self, name: str) -> None:
        """Head of a function, down to the loop over blocks and what stays all the time."""
        self.put(0, "@njit(nogil=True, cache=True)", f"def {name}(begin, end, n, steps, a):")
        self.put(1, "nonsense = False")
        self.put(1, f"w = np.empty({len(self.rows) * BLOCK}, F)", "one = np.empty(1, F)")
        for scalar in _scalars(self.plan):
            self.put(1, f"read(one, 1, a[{self.places[scalar]}], 0)", f"{scalar} = one[0]")

    def block(self) -> None:
        self.put(1, f"for b in range(begin, end, {BLOCK}):", f"    m = min({BLOCK}, end - b)")
        for name in self.plan.coefficients:
            if name in self.plan.per_neuron:
                self.move(2, "read", name, name, "b")

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _forward(plan: Layout, rows: dict[str, int]) -> str:
    text = _Text(plan, rows, plan.forward)
    text.start("forward")
    text.block()
    for name in plan.carried:
        text.move(2, "read", name, f"{name}_before", "b")
    text.put(2, "for t in range(steps):")
    kept = f"a[{text.places['stored']}] != 0"
    text.put(3, f"if t > 0 and t % {plan.chunk} == 0 and {kept}:")
    for k, name in enumerate(plan.carried):
        text.move(4, "write", name, "stored", _stored(plan, k, f"(t // {plan.chunk} - 1)"))
    text.move(3, "read", "input_", "input_", "t * n + b")
    text.put(3, f"nonsense |= holds_nonsense({_row(rows, 'input_')}, m)")
    text.call(3, "enter")
    text.put(3, f"for s in range({plan.substeps}):")
    text.call(4, "substep")
    text.call(3, "leave")
    for name in plan.outputs:
        text.move(3, "write", name, name, "t * n + b")
    for name in plan.memristors:
        text.move(2, "write", name, f"{name}_after", "b")
    text.put(1, "return nonsense")
    return str(text)


def _stored(plan: Layout, k: int, chunk: str) -> str:
    return f"({chunk} * {len(plan.carried)} + {k}) * n + b"


def _backward(plan: Layout, rows: dict[str, int]) -> str:
    text = _Text(plan, rows, plan.backward)
    text.start("backward")
    count = len(plan.states)
    text.put(1, f"trace = np.empty({plan.chunk * (plan.substeps + 1) * count * BLOCK}, F)")
    text.put(1, f"mems = np.empty({plan.chunk * BLOCK}, F)")
    text.put(1, f"currents = np.empty({plan.chunk * BLOCK}, F)")
    text.block()
    text.put(2, f"clear({_row(rows, 'g_mem')}, m)")
    for name in plan.memristors:
        text.put(2, f"clear({_row(rows, f'g_{name}')}, m)")
        _add_if_given(text, 2, f"g_{name}", f"g_{name}_after", "b")
    for name in plan.learned:
        text.put(2, f"clear({_row(rows, f'g_{name}')}, m)")
    text.put(2, f"for c in range((steps - 1) // {plan.chunk}, -1, -1):")
    text.put(3, f"first = c * {plan.chunk}", f"last = min(first + {plan.chunk}, steps)")
    text.put(3, "if c == 0:")
    for name in plan.carried:
        text.move(4, "read", name, f"{name}_before", "b")
    text.put(3, "else:")
    for k, name in enumerate(plan.carried):
        text.move(4, "read", name, "stored", _stored(plan, k, "(c - 1)"))
    text.put(3, "for t in range(first, last):")
    text.put(4, "k = t - first")
    text.move(4, "read", "input_", "input_", "t * n + b")
    text.put(4, f"copy({_row(rows, 'mem')}, mems[k * {BLOCK}:(k + 1) * {BLOCK}], m)")
    text.call(4, "enter")
    text.put(4, f"copy({_row(rows, 'i_in')}, currents[k * {BLOCK}:(k + 1) * {BLOCK}], m)")
    text.put(4, f"for s in range({plan.substeps}):")
    for i, name in enumerate(plan.states):
        text.put(5, f"copy({_row(rows, name)}, {_traced(plan, 's', i)}, m)")
    text.call(5, "substep")
    for i, name in enumerate(plan.states):
        text.put(4, f"copy({_row(rows, name)}, {_traced(plan, str(plan.substeps), i)}, m)")
    text.call(4, "leave")
    text.put(3, "for t in range(last - 1, first - 1, -1):")
    text.put(4, "k = t - first")
    _add_if_given(text, 4, "g_mem", "g_mem", "t * n + b")
    if plan.spikes:
        text.put(4, f"clear({_row(rows, 'g_spk')}, m)")
        _add_if_given(text, 4, "g_spk", "g_spk", "t * n + b")
    for i, name in enumerate(plan.states):
        text.put(4, f"copy({_traced(plan, str(plan.substeps), i)}, {_row(rows, name)}, m)")
    text.call(4, "leave_back")
    text.put(4, f"clear({_row(rows, 'g_i_in')}, m)")
    text.put(4, f"copy(currents[k * {BLOCK}:(k + 1) * {BLOCK}], {_row(rows, 'i_in')}, m)")
    text.put(4, f"for s in range({plan.substeps} - 1, -1, -1):")
    for i, name in enumerate(plan.states):
        text.put(5, f"copy({_traced(plan, 's', i)}, {_row(rows, name)}, m)")
    text.call(5, "substep_back")
    text.put(4, f"copy(mems[k * {BLOCK}:(k + 1) * {BLOCK}], {_row(rows, 'mem')}, m)")
    text.move(4, "read", "input_", "input_", "t * n + b")
    text.call(4, "enter_back")
    text.move(4, "write", "g_input_", "g_input_", "t * n + b")
    for name in plan.carried:
        text.move(2, "write", f"g_{name}", f"g_{name}_before", "b")
    for name in plan.learned:
        text.move(2, "write", f"g_{name}", f"g_{name}", "b")
    text.put(1, "return False")
    return str(text)


def _traced(plan: Layout, substep: str, state: int) -> str:
    count = len(plan.states)
    row = f"((k * {plan.substeps + 1} + {substep}) * {count} + {state}) * {BLOCK}"
    return f"trace[{row}:{row} + {BLOCK}]"


def _add_if_given(text: _Text, depth: int, row: str, address: str, offset: str) -> None:
    text.put(depth, f"if a[{text.places[address]}] != 0:")
    text.move(depth + 1, "add", row, address, offset)
