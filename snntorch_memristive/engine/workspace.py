"""Where the rows of a block of neurons are while a kernel works on them."""

from .layout import Layout
from .pieces import CROSSING
from .program import Program

BLOCK = 528
"""Neurons that are taken through time together; their states stay in fast memory. No power of two:
numbers of one neuron in different rows would compete for the same few places in the cache."""


Place = tuple[str, int]
"""Where a row is: where it is counted from, and how many numbers behind."""


class Workspace:
    """Rows of numbers, one per neuron of a block, in the memory that a thread works in.

    First come rows that have a fixed place, from ``w`` on. Behind them are, for the backward
    pass, the rows that every time step of a chunk has, from ``of`` on, and those that every
    sub-step has, from ``at`` on. What a kernel is given, or gives, is read and written where it
    is: the ``outer`` rows of a phase.
    """

    def __init__(self, plan: Layout, program: Program) -> None:
        vectors = [name for name in plan.coefficients if name in plan.per_neuron]
        grads = [f"g_{name}" for name in ("mem", "i_in", *plan.states, *plan.learned)]
        pieces = (*program.substep.pieces, *program.substep_kept.pieces)
        crossing = {row for piece in pieces for row in piece.writes if row.startswith(CROSSING)}
        unread = [f"unread_{name}" for name in plan.outputs[1:]]
        self._fixed = _numbered(
            ["i_in", "nothing", *plan.states, *vectors, *grads, *sorted(crossing), *unread]
        )
        self._of_step = _numbered(["mem", "i_in"])
        self._of_substep = _numbered([*plan.states, *program.kept])
        self._states = plan.states
        self._outer = {
            "enter": ("input_", "mem"),
            "enter_kept": ("input_", "mem"),
            "substep_kept": plan.memristors,
            "substep_back": plan.memristors,
            "leave": plan.outputs,
            "leave_kept": plan.outputs,
            "leave_back": ("g_mem", "g_mem_given", *(f"g_{name}" for name in plan.outputs[1:])),
            "enter_back": ("input_", "g_input_", "mem", "g_mem"),
        }
        self.step = len(self._of_step) * BLOCK
        """Numbers that a time step leaves behind."""
        self.substep = len(self._of_substep) * BLOCK
        """Numbers that a sub-step leaves behind."""
        self.steps_start = len(self._fixed) * BLOCK
        self.substeps_start = self.steps_start + plan.chunk * self.step
        self.size_forward = self.steps_start
        self.size_backward = self.substeps_start + (plan.chunk * plan.substeps + 1) * self.substep

    def outer(self, phase: str) -> tuple[str, ...]:
        """Rows that are parameters of ``phase``."""
        return self._outer.get(phase, ())

    def row(self, name: str) -> Place:
        """The row with a fixed place."""
        return "w", self._fixed[name] * BLOCK

    def row_of_step(self, name: str) -> Place:
        """The row of a time step."""
        return "of", self._of_step[name] * BLOCK

    def row_of_substep(self, name: str) -> Place:
        """The row of a sub-step."""
        return "at", self._of_substep[name] * BLOCK

    def source(self, phase: str, name: str) -> Place | None:
        """Where ``phase`` reads ``name``; None for a coefficient that is one number."""
        if name in self.outer(phase):
            return name, 0
        if is_again(phase) and name in self._of_substep:
            return self.row_of_substep(name)
        if is_again(phase) and name in self._of_step:
            return self.row_of_step(name)
        return self.row(name) if name in self._fixed else None

    def target(self, phase: str, name: str) -> Place:
        """Where ``phase`` writes ``name``."""
        if phase == "substep_kept" and name in self._states:  # they are those of the next one
            start, offset = self.row_of_substep(name)
            return start, offset + self.substep
        return self.source(phase, name) or (name, 0)


def is_again(phase: str) -> bool:
    """Does ``phase`` work on rows of a time step and of a sub-step: has it been taken before?"""
    return phase.endswith(("_kept", "_back"))


def _numbered(names: list[str]) -> dict[str, int]:
    return {name: k for k, name in enumerate(names)}
