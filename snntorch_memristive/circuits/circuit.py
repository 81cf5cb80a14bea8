"""What every neuron circuit can be asked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..relaxation import Equation, State, rates
from ..units import Value

NONE = torch.zeros((), dtype=torch.float64)
"""No input current."""


@dataclass(frozen=True)
class Circuit(ABC):
    """A neuron circuit: current in, voltage out.

    A subclass is a frozen dataclass of components that names its :attr:`states` and states
    its physics once, in :meth:`equations`. One of the states is the membrane voltage ``v``,
    one of the fields the capacitor ``c_mem`` on that node.
    """

    states: ClassVar[tuple[str, ...]]
    """Names of the states. ``v`` is the membrane voltage."""

    state_units: ClassVar[dict[str, str]]
    """SI unit of every state."""

    if TYPE_CHECKING:  # a subclass has it as a field

        @property
        def c_mem(self) -> Value:
            """Membrane capacitor (F)."""

    @abstractmethod
    def equations(self, hold_memristors: bool = False) -> tuple[Equation, ...]:
        """The rate equations, in the order in which a splitting solver advances them.

        Each is a function ``(state, i_in) -> {name: Relaxation}`` with ``i_in`` in A,
        of the states' shape. With
        ``hold_memristors`` those of the memristor states are left out.
        """

    @property
    @abstractmethod
    def v_threshold(self) -> Value:
        """Membrane voltage (V) that a neuron calls its threshold."""

    def rate(self, state: State, i_in: Tensor) -> State:
        """Time derivative of every state (unit of the state per second) under ``i_in`` (A)."""
        return rates(self.equations(), state, i_in)

    def rest(self) -> dict[str, Value]:
        """The state that does not move without input, found by settling each state in turn.

        Numbers; tensors (float64) for a circuit some of whose values differ between neurons.

        Raises:
            RuntimeError: if the circuit does not settle (it oscillates, or has no rest point).
        """
        state = dict.fromkeys(self.states, NONE)
        for _ in range(10_000):
            before = state
            for equation in self.equations():
                targets = {name: _double(r.target) for name, r in equation(state, NONE).items()}
                # Half-way steps settle where full ones would alternate.
                moved = {name: (state[name] + t) / 2 for name, t in targets.items()}
                state = state | moved
            if all(_close(before[name], state[name]) for name in self.states):
                return {name: _number(state[name]) for name in self.states}
        raise RuntimeError(f"Expected {self} to have a rest point, but it did not settle.")

    def leak(self) -> Value:
        """Rate (1/s) at which ``v`` forgets at rest while the memristors are held.

        Raises:
            RuntimeError: as :meth:`rest`, or if the circuit states no equation of ``v``.
        """
        rest = {name: _double(value) for name, value in self.rest().items()}
        for equation in self.equations():
            relaxations = equation(rest, NONE)
            if "v" in relaxations:
                return _number(_double(relaxations["v"].decay))
        raise RuntimeError(f"Expected {type(self).__name__} to state an equation of `v`.")


def _close(before: Tensor, after: Tensor) -> bool:
    return bool(torch.isclose(before, after, rtol=1e-14, atol=1e-300).all())


def _double(value: Value) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def _number(value: Tensor) -> Value:
    return value.item() if value.dim() == 0 else value
