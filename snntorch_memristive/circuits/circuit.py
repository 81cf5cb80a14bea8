"""What every neuron circuit can be asked."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ..checks import check_positive
from ..relaxation import Equation, Relaxation, State, rates
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
        for share in (1 / 2, 1 / 16, 1 / 128):  # of the way: settles where full steps alternate
            state = dict.fromkeys(self.states, NONE)
            for _ in range(10_000):
                before = state
                for equation in self.equations():
                    targets = {name: _double(r.target) for name, r in equation(state, NONE).items()}
                    moved = {n: state[n] + share * (t - state[n]) for n, t in targets.items()}
                    state = state | moved
                if all(_close(before[name], state[name]) for name in self.states):
                    return {name: _number(state[name]) for name in self.states}
        raise RuntimeError(
            f"Expected {self} to come to rest without input, but it did not settle: it oscillates "
            "by itself. Lower what biases it."
        )

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


def check_stated(circuit: Circuit) -> None:
    """Refuse what is no circuit, or does not state an equation for each of its states.

    Raises:
        TypeError: if ``circuit`` is a class, or anything else that is no Circuit, or one of its
            equations gives no Relaxation of states; or if two circuits that differ could be equal.
        ValueError: if ``v`` or ``c_mem`` is missing, or a state has no unit, or not one equation.
    """
    if not (isinstance(circuit, Circuit) and is_dataclass(circuit)):
        raise TypeError(f"Expected an instance of a Circuit, a dataclass, but got {circuit!r}.")
    if unseen := list(_unseen(circuit)):
        raise TypeError(
            f"Expected circuits to be equal only if all that is in them is, but == does not see "
            f"{', '.join(unseen)}: a dataclass with eq=False, or a field with compare=False?"
        )
    name, states = type(circuit).__name__, getattr(circuit, "states", ())
    if "v" not in states:
        raise ValueError(f"Expected `v`, the membrane, among the states of {name}: {states}.")
    if set(getattr(circuit, "state_units", ())) != set(states):
        raise ValueError(f"Expected `state_units` of {name} to name a unit for each of {states}.")
    if not hasattr(circuit, "c_mem"):
        raise ValueError(f"Expected {name} to have a field `c_mem`, its membrane capacitor.")
    check_positive("F", c_mem=circuit.c_mem)
    stated: list[str] = []
    for equation in circuit.equations():
        found = equation(dict.fromkeys(states, NONE), NONE)
        if not (isinstance(found, dict) and all(isinstance(r, Relaxation) for r in found.values())):
            raise TypeError(
                f"Expected {getattr(equation, '__qualname__', equation)} to return a Relaxation by "
                f"the name of its state, but got {found!r}."
            )
        stated += found
    if sorted(stated) != sorted(states):
        raise ValueError(
            f"Expected one equation for each of the states {', '.join(states)} of {name}, "
            f"but got them for {', '.join(stated)}."
        )


def _unseen(value: Any) -> Iterator[str]:
    """Fields of a dataclass, and of those in it, that ``==`` does not see.

    Of these, the ``source`` of its numbers and what is worked out from the others may be.
    """
    owner = next(kind for kind in type(value).__mro__ if "__eq__" in vars(kind))
    seen = {field.name for field in fields(owner if is_dataclass(owner) else value)}
    for field in fields(value):
        own = getattr(value, field.name, None)
        is_seen = field.compare and field.name in seen
        if field.init and field.name != "source" and not is_seen:
            yield f"{type(value).__name__}.{field.name}"
        for part in own if isinstance(own, tuple) else (own,):
            if is_dataclass(part):
                yield from _unseen(part)


def _close(before: Tensor, after: Tensor) -> bool:
    return bool(torch.isclose(before, after, rtol=1e-14, atol=1e-300).all())


def _double(value: Value) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def _number(value: Tensor) -> Value:
    return value.item() if value.dim() == 0 else value
