"""The instructions of a CPU kernel: a program's phases in loops over time, blocks and neurons."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from ..functional import Dynamics
from .arithmetic import FUNCTIONS
from .layout import Layout
from .program import Phase, Program, trace
from .value import (
    CONDITION,
    INTEGER,
    NUMBERS,
    Row,
    Value,
    constant,
    loop,
    rearranged,
    repeat,
    where,
)
from .workspace import Place, Workspace, is_again

TASK = ("n", "steps", "block", "share", "threads", "work", "come", "nonsense")
"""Whole numbers that a function is given, before addresses: how many neurons and time steps there
are, how many neurons are taken at once and how many are a thread's share, for how many threads
there is work and memory, the address of that memory, how many threads have come, and whether NaN
or infinity was met. Behind the addresses is a number for every share: how many neurons of it have
been taken."""


def generate(dynamics: Dynamics, plan: Layout, dtype: str, direction: str) -> tuple[str, int]:
    """A module of LLVM with the function ``direction``; how many numbers a thread works with.

    The function is given a pointer to :data:`TASK` and to addresses, as ``plan`` lists them.
    Threads that call it with the same task share its neurons.
    """
    program = trace(dynamics, plan.learned, dtype == "float64")
    space = Workspace(plan, program)
    function = _Function(plan, program, space, dtype, direction)
    (_forward if direction == "forward" else _backward)(function)
    function.builder.ret_void()
    return str(function.module), function.size


class _Function:
    """The function ``forward`` or ``backward`` while it is written, and the phases that it calls.

    Rows of numbers are where ``places`` begin: the fixed rows of the workspace, those of a time
    step, those of a sub-step, and what is given. What a phase writes, it reaches from one only.
    """

    def __init__(
        self, plan: Layout, program: Program, space: Workspace, dtype: str, direction: str
    ) -> None:
        self.plan, self.program, self.space, self.dtype = plan, program, space, dtype
        self.module = ir.Module(direction)
        self.number = NUMBERS[dtype]
        self.phases: dict[str, ir.Function] = {}
        function_type = ir.FunctionType(ir.VoidType(), [INTEGER.as_pointer()])
        function = ir.Function(self.module, function_type, direction)
        self.builder = ir.IRBuilder(function.append_basic_block("start"))
        self.task = Row(self.builder, function.args[0])
        self.numbers = {name: k for k, name in enumerate([*TASK, *getattr(plan, direction)])}
        self.n, self.steps, self.block = map(self.stated, ("n", "steps", "block"))
        self.m = self.block
        self.size = space.size_forward if direction == "forward" else space.size_backward
        self.thread = self.task.add(self.numbers["come"], 1)
        self.work = self.given("work", self.thread * self.size)
        one_number = (name for name in plan.coefficients if name not in plan.per_neuron)
        self.scalars = {name: self.given(name, 0)[0] for name in one_number}

    def stated(self, name: str) -> Value:
        """A number of the task, or an address."""
        return self.task[self.numbers[name]]

    def given(self, name: str, offset: Any) -> Row:
        """The numbers of what is given under ``name``, but for the first ``offset``."""
        address = self.stated(name).ir
        return Row(self.builder, self.builder.inttoptr(address, self.number.as_pointer())) + offset

    def given_or_zeros(self, name: str, offset: Any) -> Row:
        """The same of a derivative, or zeros if there is none."""
        is_there = self.stated(name) != 0
        return where(is_there, self.given(name, offset), self.row(self.space.row("nothing")))

    def row(self, place: Place, **starts: Row) -> Row:
        """The row at a place of the workspace."""
        start, offset = place
        return starts.get(start, self.work) + offset

    @contextmanager
    def blocks(self) -> Iterator[Value]:
        """What is written inside is done for one block of neurons after the other.

        The index of its first neuron; their number is ``m``. A thread begins with its own share,
        which it mostly was given at the time step before as well: the states are in its cache.
        """
        threads, share = self.stated("threads"), self.stated("share")
        with loop(self.builder, threads) as done:
            k = (self.thread + done) % threads
            end = (k + 1) * share
            end = where(end < self.n, end, self.n)

            def take() -> Value:
                return self.task.add(k + len(self.numbers), self.block) + k * share

            with repeat(self.builder, take, end) as b:
                rest = end - b
                self.m = where(self.block < rest, self.block, rest)
                for name in self.plan.coefficients:
                    if name in self.plan.per_neuron:
                        self.copy(self.given(name, b), self.row(self.space.row(name)))
                yield b

    def call(self, name: str, phase: Phase, **rows: Row) -> None:
        """A phase, on the rows that are not of the workspace's fixed ones."""
        if name not in self.phases:
            self.phases[name] = _phase(self, name, phase)
        rows = {"w": self.work} | rows
        pointers = [rows[place].ir for place in _places(self.space, name)]
        scalars = [value.ir for value in self.scalars.values()]
        self.builder.call(self.phases[name], [self.m.ir, *pointers, *scalars])

    def copy(self, source: Row, target: Row) -> None:
        """The numbers of a block from one row to another."""

        def body(m: Value, source: Row, target: Row) -> None:
            with loop(m.builder, m) as j:
                target[j] = source[j]

        self._on_rows("copy", body, source, target)

    def clear(self, place: Place) -> None:
        """Zeros in a fixed row."""

        def body(m: Value, row: Row) -> None:
            zero = Value(m.builder, constant(self.number, 0.0))
            with loop(m.builder, m) as j:
                row[j] = zero

        self._on_rows("clear", body, self.row(place))

    def note_nonsense(self, row: Row) -> None:
        """Say so in the task if there are NaN or infinity in a row."""

        def body(m: Value, row: Row, task: Row) -> None:
            builder = m.builder
            found = builder.alloca(CONDITION)
            builder.store(ir.Constant(CONDITION, 0), found)
            with loop(builder, m) as j:
                so_far = Value(builder, builder.load(found))
                builder.store((so_far | _is_nonsense(row[j])).ir, found)
            with builder.if_then(builder.load(found)):
                task.add(self.numbers["nonsense"], 1)

        self._on_rows("note_nonsense", body, row, self.task)

    def _on_rows(self, name: str, body: Callable[..., None], *rows: Row) -> None:
        """Call a function of the number of neurons and of ``rows``, which ``body`` writes once."""
        if name not in self.phases:
            parameters = [INTEGER, *(row.ir.type for row in rows)]
            function, builder = internal_function(self.module, name, parameters)
            m, *pointers = function.args
            body(Value(builder, m), *(Row(builder, pointer) for pointer in pointers))
            builder.ret_void()
            self.phases[name] = function
        self.builder.call(self.phases[name], [self.m.ir, *(row.ir for row in rows)])


@rearranged(frozenset())
def _is_nonsense(x: Value) -> Value:
    return x - x != 0.0


def _places(space: Workspace, phase: str) -> list[str]:
    """Where the rows of a phase begin."""
    moving = ["at", "of"] if is_again(phase) else []
    return ["w", *moving, *space.outer(phase)]


def internal_function(
    module: ir.Module, name: str, parameters: list[ir.Type]
) -> tuple[ir.Function, ir.IRBuilder]:
    """A function of the module's own, that reaches what it writes through one pointer only."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # what the pointers promise holds inside of it
    for argument in function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")
    return function, ir.IRBuilder(function.append_basic_block("start"))


def _phase(outside: _Function, name: str, phase: Phase) -> ir.Function:
    """A phase as a function of the number of neurons, places of rows, and coefficients."""
    space, number = outside.space, outside.number
    places = _places(space, name)
    parameters = [INTEGER, *[number.as_pointer()] * len(places), *[number] * len(outside.scalars)]
    function, builder = internal_function(outside.module, name, parameters)
    m, *arguments = function.args
    starts = {p: Row(builder, a) for p, a in zip(places, arguments[: len(places)], strict=True)}
    scalars = zip(outside.scalars, arguments[len(places) :], strict=True)
    known: dict[str, Any] = {scalar: Value(builder, argument) for scalar, argument in scalars}
    known |= FUNCTIONS[outside.dtype] | {"inf": math.inf, "nan": math.nan}
    known["F"] = lambda value: Value(builder, constant(number, value))

    def row(place: Place) -> Row:
        return starts[place[0]] + place[1]

    for piece in phase.pieces or (phase,):
        sources = {r: row(place) for r in piece.reads if (place := space.source(name, r))}
        targets = {r: row(space.target(name, r)) for r in piece.writes}
        # What is made of derivatives is a sum of products, all of them rounded. Anything else stays
        # in its order, lest a small number be lost beside a larger one.
        derivatives = [r for r in sources if r.startswith("g_")]
        with loop(builder, Value(builder, m)) as j:
            scope = known | {r: source[j] for r, source in sources.items()}
            if piece.may_be_reordered:
                scope |= {r: scope[r].reordered() for r in derivatives}
            exec("\n".join(piece.lines), scope)  # calculating with values writes instructions
            for r, target in targets.items():
                target[j] = scope[f"new_{r}"]
    builder.ret_void()
    return function


def _forward(function: _Function) -> None:
    plan, program, space, row = function.plan, function.program, function.space, function.row
    n, given = function.n, function.given
    with function.blocks() as b:
        for name in plan.memristors:
            function.copy(given(f"{name}_before", b), row(space.row(name)))
        with loop(function.builder, function.steps) as t:
            now = t * n + b
            mem = where(t == 0, given("mem_before", b), given("mem", now - n))
            chunks, rest = t // plan.chunk, t % plan.chunk
            stores = (t > 0) & (rest == 0) & (function.stated("stored") != 0)
            with function.builder.if_then(stores.ir):
                for k, name in enumerate(plan.carried):
                    carried = mem if name == "mem" else row(space.row(name))
                    function.copy(carried, given("stored", _stored(function, k, chunks - 1, b)))
            input_ = given("input_", now)
            function.note_nonsense(input_)
            function.call("enter", program.enter, input_=input_, mem=mem)
            with loop(function.builder, plan.substeps):
                function.call("substep", program.substep)
            outputs = {name: given(name, now) for name in plan.outputs}
            function.call("leave", program.leave, **outputs)
        for name in plan.memristors:
            function.copy(row(space.row(name)), given(f"{name}_after", b))


def _stored(function: _Function, k: int, chunk: Value, b: Value) -> Value:
    return (chunk * len(function.plan.carried) + k) * function.n + b


def _backward(function: _Function) -> None:
    plan, space, row = function.plan, function.space, function.row
    function.clear(space.row("nothing"))
    with function.blocks() as b:
        for name in plan.memristors:
            arrived = function.given_or_zeros(f"g_{name}_after", b)
            function.copy(arrived, row(space.row(f"g_{name}")))
        for name in plan.learned:
            function.clear(space.row(f"g_{name}"))
        chunks = (function.steps + (plan.chunk - 1)) // plan.chunk
        with loop(function.builder, chunks) as done:
            chunk = chunks - 1 - done
            first = chunk * plan.chunk
            rest = function.steps - first
            size = where(rest < plan.chunk, rest, plan.chunk)
            _forward_again(function, b, chunk, size)
            _back_again(function, b, chunk, size)
        for name in plan.memristors:
            function.copy(row(space.row(f"g_{name}")), function.given(f"g_{name}_before", b))
        for name in plan.learned:
            function.copy(row(space.row(f"g_{name}")), function.given(f"g_{name}", b))


def _of(function: _Function, step: Any) -> Row:
    """Where rows of a chunk's time step begin."""
    return function.work + (step * function.space.step + function.space.steps_start)


def _at(function: _Function, step: Any, substep: Any) -> Row:
    """Where rows of a sub-step begin; behind the last one of a time step is the next one's first,
    whose states are those that the last one has left."""
    k = step * function.plan.substeps + substep
    return function.work + (k * function.space.substep + function.space.substeps_start)


def _at_start(function: _Function, name: str, chunk: Value, b: Value) -> Row:
    """What is carried from step to step as it was before the first step of a chunk."""
    row = function.plan.carried.index(name)
    stored = function.given("stored", _stored(function, row, chunk - 1, b))
    return where(chunk == 0, function.given(f"{name}_before", b), stored)


def _mem(function: _Function, chunk: Value, k: Value, b: Value) -> Row:
    """The membrane before step ``k`` of a chunk."""
    own = function.row(function.space.row_of_step("mem"), of=_of(function, k))
    return where(k == 0, _at_start(function, "mem", chunk, b), own)


def _memristors(function: _Function, chunk: Value, k: Value, s: Value, b: Value) -> dict[str, Row]:
    """States before sub-step ``s`` of step ``k`` of a chunk, but for that of the membrane."""
    is_first, at = k + s == 0, _at(function, k, s)
    own = {
        x: function.row(function.space.row_of_substep(x), at=at) for x in function.plan.memristors
    }
    return {x: where(is_first, _at_start(function, x, chunk, b), row) for x, row in own.items()}


def _forward_again(function: _Function, b: Value, chunk: Value, size: Value) -> None:
    """The steps of a chunk once more, leaving every sub-step's rows behind."""
    plan, program, space, row = function.plan, function.program, function.space, function.row
    with loop(function.builder, size) as k:
        of, at = _of(function, k), _at(function, k, function.m.like(0))
        now = (chunk * plan.chunk + k) * function.n + b
        outer = {"input_": function.given("input_", now), "mem": _mem(function, chunk, k, b)}
        function.call("enter_kept", program.enter, at=at, of=of, **outer)
        with loop(function.builder, plan.substeps) as s:
            at, states = _at(function, k, s), _memristors(function, chunk, k, s, b)
            function.call("substep_kept", program.substep_kept, at=at, of=of, **states)
        with function.builder.if_then((k + 1 < size).ir):
            outer = {name: row(space.row(f"unread_{name}")) for name in plan.outputs[1:]}
            outer["mem"] = row(space.row_of_step("mem"), of=_of(function, k + 1))
            after = _at(function, k, plan.substeps)
            function.call("leave_kept", program.leave, at=after, of=of, **outer)


def _back_again(function: _Function, b: Value, chunk: Value, size: Value) -> None:
    """The adjoint of the steps of a chunk, from the last to the first."""
    plan, program, space, row = function.plan, function.program, function.space, function.row
    g_mem, nothing = row(space.row("g_mem")), row(space.row("nothing"))
    with loop(function.builder, size) as done:
        k = size - 1 - done
        step = chunk * plan.chunk + k
        now = step * function.n + b
        of, at = _of(function, k), _at(function, k, plan.substeps)
        outer = {"g_mem": where(step + 1 == function.steps, nothing, g_mem)}
        outer |= {"g_mem_given": function.given_or_zeros("g_mem", now)}
        outer |= {f"g_{x}": function.given_or_zeros(f"g_{x}", now) for x in plan.outputs[1:]}
        function.call("leave_back", program.leave_back, at=at, of=of, **outer)
        function.clear(space.row("g_i_in"))
        with loop(function.builder, plan.substeps) as gone:
            s = function.m.like(plan.substeps - 1) - gone
            at, states = _at(function, k, s), _memristors(function, chunk, k, s, b)
            function.call("substep_back", program.substep_back, at=at, of=of, **states)
        at = _at(function, k, function.m.like(0))
        outer = {name: function.given(name, now) for name in ("input_", "g_input_")}
        outer["mem"] = _mem(function, chunk, k, b)
        outer["g_mem"] = where(step == 0, function.given("g_mem_before", b), g_mem)
        function.call("enter_back", program.enter_back, at=at, of=of, **outer)
