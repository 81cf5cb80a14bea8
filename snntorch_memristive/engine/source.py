"""The text of a CPU kernel: a program's phases in loops over time, blocks and neurons."""

from ..functional import Dynamics
from .layout import Layout
from .program import Phase, trace
from .workspace import Workspace

HEADER = '''"""Generated from the equations of {circuit}."""
from math import inf, nan
import numpy as np
from numba import njit
from snntorch_memristive.engine.{arithmetic} import *
from snntorch_memristive.engine.memory import clear, copy, holds_nonsense, view
from snntorch_memristive.engine.sharing import add

F = np.{dtype}
FAST = {{"contract", "arcp", "nsz", "reassoc"}}
'''

TASK = ("n", "steps", "block", "taken", "done", "nonsense")
"""Whole numbers that a function is given, before addresses: how many neurons and time steps there
are, how many neurons are taken at once, have been taken and are done with, and whether NaN or
infinity was met."""


def generate(dynamics: Dynamics, plan: Layout, dtype: str) -> str:
    """Source of a module with the functions ``forward`` and ``backward``.

    Both are given a pointer to :data:`TASK` and to addresses, as ``plan`` lists them. Threads that
    call one with the same task share its neurons.
    """
    program = trace(dynamics, plan.learned, dtype == "float64")
    arithmetic = "arithmetic" if dtype == "float32" else "arithmetic64"
    space = Workspace(plan, program)
    head = HEADER.format(
        circuit=type(dynamics.circuit).__name__, arithmetic=arithmetic, dtype=dtype
    )
    loops = [_loop(plan, space, name, phase) for name, phase in program.phases()]
    return "\n\n".join([head, *loops, _forward(plan, space), _backward(plan, space)])


def _scalars(plan: Layout) -> list[str]:
    return [name for name in plan.coefficients if name not in plan.per_neuron]


def _parameters(plan: Layout, space: Workspace, phase: str) -> list[str]:
    offsets = ["at", "of"] if phase.endswith(("_kept", "_back")) else []
    return ["m", "w", *offsets, *space.outer(phase), *_scalars(plan)]


def _loop(plan: Layout, space: Workspace, name: str, phase: Phase) -> str:
    lines = [f"def {name}({', '.join(_parameters(plan, space, name))}):"]
    for piece in phase.pieces or (phase,):
        sources = {row: space.source(name, row) for row in piece.reads}
        sources = {row: place for row, place in sources.items() if place}
        targets = {row: space.target(name, row) for row in piece.writes}
        # One name per place: a compiler must see that what is read and written is the same row.
        places = dict.fromkeys([*sources.values(), *targets.values()])
        arrays = {place: f"row{k}" for k, place in enumerate(places)}
        lines += [f"    {array} = {place}" for place, array in arrays.items()]
        lines += ["    for j in range(m):"]
        lines += [f"        {row} = {arrays[place]}[j]" for row, place in sources.items()]
        lines += [f"        {line}" for line in piece.lines]
        lines += [f"        {arrays[place]}[j] = new_{row}" for row, place in targets.items()]
    return "\n".join(['@njit(fastmath=FAST, error_model="numpy")', *lines])


class _Text:
    """The lines of one function."""

    def __init__(self, plan: Layout, space: Workspace, addresses: list[str]) -> None:
        self.lines: list[str] = []
        self.plan = plan
        self.space = space
        self.places = {name: k for k, name in enumerate([*TASK, *addresses])}

    def put(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def address(self, name: str) -> str:
        return f"a[{self.places[name]}]"

    def view(self, name: str, offset: str) -> str:
        """The row of what is given under ``name``."""
        return f"view(w, {self.address(name)}, {offset}, m)"

    def call(self, depth: int, phase: str, **outer: str) -> None:
        values = [outer.get(p, p) for p in _parameters(self.plan, self.space, phase)]
        self.put(depth, f"{phase}({', '.join(values)})")

    def start(self, name: str, size: int) -> None:
        """Head of a function, down to the loop over blocks and what stays all the time."""
        self.put(0, f"def {name}(a):")
        self.put(1, *(f"{name} = {self.address(name)}" for name in ("n", "steps", "block")))
        self.put(1, "nonsense = False", f"w = np.empty({size}, F)")
        for scalar in _scalars(self.plan):
            self.put(1, f"{scalar} = view(w, {self.address(scalar)}, 0, 1)[0]")
        self.put(1, self._next_block, "while b < n:", "    m = min(block, n - b)")
        for vector in self.plan.coefficients:
            if vector in self.plan.per_neuron:
                self.put(2, f"copy({self.view(vector, 'b')}, {self.space.row(vector)}, m)")

    def finish(self) -> str:
        """All the lines, after those of a block of neurons."""
        self.put(2, f"add(a, {self.places['done']}, m)", self._next_block)
        self.put(1, "if nonsense:", f"    {self.address('nonsense')} = 1")
        return "\n".join(self.lines)

    @property
    def _next_block(self) -> str:
        return f"b = add(a, {self.places['taken']}, block)"


def _forward(plan: Layout, space: Workspace) -> str:
    text = _Text(plan, space, plan.forward)
    text.start("forward", space.size_forward)
    text.put(2, f"mem = {text.view('mem_before', 'b')}")
    for name in plan.memristors:
        text.put(2, f"copy({text.view(f'{name}_before', 'b')}, {space.row(name)}, m)")
    text.put(2, "for t in range(steps):")
    text.put(3, f"if t > 0 and t % {plan.chunk} == 0 and {text.address('stored')} != 0:")
    for k, name in enumerate(plan.carried):
        row = "mem" if name == "mem" else space.row(name)
        place = text.view("stored", _stored(plan, k, f"(t // {plan.chunk} - 1)"))
        text.put(4, f"copy({row}, {place}, m)")
    text.put(3, f"input_ = {text.view('input_', 't * n + b')}")
    text.put(3, "nonsense |= holds_nonsense(input_, m)")
    text.call(3, "enter")
    text.put(3, f"for s in range({plan.substeps}):")
    text.call(4, "substep")
    text.put(3, f"mem = {text.view('mem', 't * n + b')}")
    others = {name: text.view(name, "t * n + b") for name in plan.outputs[1:]}
    text.call(3, "leave", **others)
    for name in plan.memristors:
        text.put(2, f"copy({space.row(name)}, {text.view(f'{name}_after', 'b')}, m)")
    return text.finish()


def _stored(plan: Layout, k: int, chunk: str) -> str:
    return f"({chunk} * {len(plan.carried)} + {k}) * n + b"


def _backward(plan: Layout, space: Workspace) -> str:
    text = _Text(plan, space, plan.backward)
    text.start("backward", space.size_backward)
    text.put(2, f"clear({space.row('nothing')}, m)", f"clear({space.row('g_mem')}, m)")
    for name in plan.memristors:
        given = _given(text, f"g_{name}_after", "b")
        text.put(2, f"copy({given}, {space.row(f'g_{name}')}, m)")
    for name in plan.learned:
        text.put(2, f"clear({space.row(f'g_{name}')}, m)")
    text.put(2, f"for c in range((steps - 1) // {plan.chunk}, -1, -1):")
    text.put(3, f"first = c * {plan.chunk}", f"last = min(first + {plan.chunk}, steps)")
    _forward_again(text, plan, space)
    _back_again(text, plan, space)
    for name in plan.carried:
        text.put(2, f"copy({space.row(f'g_{name}')}, {text.view(f'g_{name}_before', 'b')}, m)")
    for name in plan.learned:
        text.put(2, f"copy({space.row(f'g_{name}')}, {text.view(f'g_{name}', 'b')}, m)")
    return text.finish()


def _forward_again(text: _Text, plan: Layout, space: Workspace) -> None:
    """The steps of a chunk once more, leaving every sub-step's rows behind."""
    text.put(3, f"of = {space.steps_start}", f"at = {space.substeps_start}")
    for k, name in enumerate(plan.carried):
        row = space.row_of_step(name) if name == "mem" else space.row_of_substep(name)
        text.put(3, "if c == 0:")
        text.put(4, f"copy({text.view(f'{name}_before', 'b')}, {row}, m)")
        text.put(3, "else:")
        text.put(4, f"copy({text.view('stored', _stored(plan, k, '(c - 1)'))}, {row}, m)")
    text.put(3, "for t in range(first, last):")
    mem = space.row_of_step("mem")
    text.call(4, "enter", input_=text.view("input_", "t * n + b"), mem=mem)
    text.put(4, f"copy({space.row('i_in')}, {space.row_of_step('i_in')}, m)")
    text.put(4, f"copy({space.row('v')}, {space.row_of_substep('v')}, m)")
    text.put(4, f"for s in range({plan.substeps}):")
    text.call(5, "substep_kept")
    text.put(5, f"at += {space.substep}")
    text.put(4, "if t + 1 < last:")
    text.put(5, f"copy({space.row_of_substep('v')}, {space.row('v')}, m)")
    text.put(5, f"before, at = at, at + {space.substep}")
    for name in plan.memristors:
        before = space.row_of_substep(name, "before")
        text.put(5, f"copy({before}, {space.row_of_substep(name)}, m)")
    text.put(5, f"of += {space.step}")
    others = dict.fromkeys(plan.outputs[1:], space.row("i_in"))  # nobody reads them
    text.call(5, "leave", mem=mem, **others)


def _back_again(text: _Text, plan: Layout, space: Workspace) -> None:
    """The adjoint of the steps of a chunk, from the last to the first."""
    text.put(3, "for t in range(last - 1, first - 1, -1):")
    given = {"g_mem_given": _given(text, "g_mem", "t * n + b")}
    given |= {f"g_{n}": _given(text, f"g_{n}", "t * n + b") for n in plan.outputs[1:]}
    text.call(4, "leave_back", **given)
    text.put(4, f"clear({space.row('g_i_in')}, m)")
    text.put(4, f"for s in range({plan.substeps}):")
    text.put(5, f"at -= {space.substep}")
    text.call(5, "substep_back")
    outer = {name: text.view(name, "t * n + b") for name in ("input_", "g_input_")}
    text.call(4, "enter_back", **outer)
    text.put(4, f"at -= {space.substep}")
    text.put(4, f"of -= {space.step}")


def _given(text: _Text, name: str, offset: str) -> str:
    """The row of a derivative, or one of zeros if there is none."""
    nothing = text.space.row("nothing")
    return f"({text.view(name, offset)} if {text.address(name)} != 0 else {nothing})"
