"""What a kernel is given, in order, and how time is cut."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import Dynamics

TRACED = 32
"""About how many sub-steps are computed again at a time in the backward pass."""


def row_of_state(name: str) -> str:
    """What a circuit's state is called in a kernel, where ``m``, say, is already something else."""
    return name if name == "v" else f"x_{name}"


def row_of_coefficient(name: str) -> str:
    """What a coefficient is called in a kernel."""
    return f"c_{name}"


def row_of_record(name: str) -> str:
    """What the record of a circuit's state is called in a kernel."""
    return f"record_{name}"


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
    recorded: tuple[str, ...]
    """Rows of the states' records."""
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
        return ("mem", *(("spk",) if self.spikes else ()), *self.recorded)

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

    def extent(self, input_: Tensor, before: Sequence[Tensor]) -> tuple[int, int]:
        """Number of time steps and of neurons."""
        steps = 1 if input_.dim() == before[0].dim() else input_.shape[0]
        return steps, before[0].numel()

    def forward_results(
        self, input_: Tensor, before: Sequence[Tensor], store: bool
    ) -> list[Tensor]:
        """Memory for what is recorded, the memristor states after, and states on the way."""
        steps, neurons = self.extent(input_, before)
        chunks = (steps - 1) // self.chunk if store and steps else 0
        results = [_memory(input_) for _ in self.outputs]
        results += [_memory(before[0]) for _ in self.memristors]
        return [*results, input_.new_empty((chunks, len(before), neurons))]

    def backward_results(self, input_: Tensor, before: Sequence[Tensor]) -> list[Tensor]:
        """Memory for derivatives by the input, by ``before``, by every neuron's coefficients."""
        of_neurons = [_memory(before[0]) for _ in (*before, *self.learned)]
        return [_memory(input_), *of_neurons]

    def summed(self, by: list[Tensor]) -> list[Tensor]:
        """``by``, from :meth:`backward_results`, with the derivatives by one number added up."""
        first = len(by) - len(self.learned)
        learned = zip(self.learned, by[first:], strict=True)
        return by[:first] + [g if name in self.per_neuron else g.sum() for name, g in learned]


def _memory(like: Tensor) -> Tensor:
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def layout(
    dynamics: Dynamics, per_neuron: frozenset[str], learned: tuple[str, ...], device: str
) -> Layout:
    """How a kernel of ``dynamics`` is laid out on a type of device.

    On CUDA every step's states are stored: registers cannot hold those of a chunk.
    """
    return Layout(
        states=tuple(map(row_of_state, dynamics.circuit.states)),
        memristors=tuple(map(row_of_state, dynamics.memristors)),
        coefficients=tuple(map(row_of_coefficient, dynamics.coefficients)),
        per_neuron=frozenset(map(row_of_coefficient, per_neuron)),
        learned=tuple(map(row_of_coefficient, learned)),
        spikes=dynamics.spike != "binary",
        recorded=tuple(map(row_of_record, dynamics.recorded)),
        chunk=1 if device == "cuda" else max(1, TRACED // dynamics.substeps),
        substeps=dynamics.substeps,
    )
