"""One time step of a neuron in snnTorch's dimensionless numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ..circuits import Circuit
from ..relaxation import State
from ..units import Value
from .integrate import step
from .spike import SPIKES

LARGEST_INPUT = 1e20
"""Beyond this currents, or derivatives by them, would leave the numbers of float32."""


@dataclass(frozen=True)
class Dynamics:
    r"""What a neuron does in a time step: everything that is settled when it is built.

    With :math:`\Delta v` from the circuit's rest to its threshold voltage, the membrane is
    :math:`mem = (v - v_{rest}) / volts`, and the input current is ``input_`` times ``amperes``.
    What may be trained, or differ between neurons, comes as ``coefficients``:

    - ``amperes``: current of a unit of input (A).
    - ``volts``: voltage of a unit of membrane (V).
    - ``c_mem``: the membrane capacitor (F).
    - ``height``: that of a full spike, snnTorch's ``graded_spikes_factor``.
    - one per name in ``recorded``, a unit of that state, and in ``tuned``, that field itself.
    - one per name in ``learned_voltages``, a shift (V), and in ``learned_factors``, a factor.
    - one per name in ``varied``, called by :func:`factor_of`, a factor.

    The methods are pure and take tensors of any shape, or the symbols that kernels are made of.
    """

    circuit: Circuit
    dt: float
    """Length of a time step (s)."""
    substeps: int
    solver: str
    spike: str
    hold_memristors: bool = False
    learned_voltages: tuple[str, ...] = ()
    learned_factors: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    """States that are returned at every step beside the membrane, such as filters' currents."""
    tuned: tuple[str, ...] = ()
    """Fields of the circuit, besides ``c_mem``, whose value is a coefficient."""
    varied: tuple[str, ...] = ()
    """Values that differ from neuron to neuron: ``"m1.tau"`` is the ``tau`` of the part ``m1``."""
    rest: dict[str, Value] = field(init=False, repr=False, compare=False)
    """The circuit's state at rest."""
    dv: Value = field(init=False, repr=False, compare=False)
    """Voltage from rest to threshold (V)."""
    _hash: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rest = self.circuit.rest()
        object.__setattr__(self, "rest", rest)
        object.__setattr__(self, "_hash", None)
        object.__setattr__(self, "dv", self.circuit.v_threshold - rest["v"])

    def __hash__(self) -> int:
        known = self._hash
        if known is None:  # worked out once: it is asked for at every step
            known = hash((self.circuit, self.dt, self.substeps, self.solver, self.spike))
            object.__setattr__(self, "_hash", known)
        return known

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_hash": None}  # strings have another one in every process

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return (
            "amperes",
            "volts",
            "c_mem",
            "height",
            *self.recorded,
            *self.tuned,
            *self.learned_voltages,
            *self.learned_factors,
            *map(factor_of, self.varied),
        )

    @property
    def memristors(self) -> tuple[str, ...]:
        """Names of the states other than the membrane voltage."""
        return tuple(name for name in self.circuit.states if name != "v")

    def enter(
        self, input_: Tensor, mem: Tensor, coefficients: Mapping[str, Value]
    ) -> tuple[Tensor, Tensor]:
        """Current (A) and membrane voltage (V) that ``input_`` and ``mem`` stand for."""
        i_in = input_.clamp(-LARGEST_INPUT, LARGEST_INPUT) * coefficients["amperes"]
        return i_in, self.voltage(mem, coefficients["volts"])

    def voltage(self, mem: Tensor, volts: Value) -> Tensor:
        """Membrane voltage (V) that ``mem`` stands for, in units of ``volts``."""
        return self.rest["v"] + mem * volts

    def substep(self, state: State, i_in: Tensor, coefficients: Mapping[str, Value]) -> State:
        """State of the circuit one sub-step later, in SI units."""
        return self._step(state, i_in, coefficients, self.dt / self.substeps, 1)

    def advance(
        self, input_: Tensor, mem: Tensor, memristors: State, coefficients: Mapping[str, Value]
    ) -> tuple[Tensor, State]:
        """``mem`` and the memristor states one time step later."""
        i_in, v = self.enter(input_, mem, coefficients)
        state = self._step({"v": v} | memristors, i_in, coefficients, self.dt, self.substeps)
        after = {name: state[name] for name in self.memristors}
        return self.leave(state["v"], coefficients), after

    def _step(
        self,
        state: State,
        i_in: Tensor,
        coefficients: Mapping[str, Value],
        dt: float,
        substeps: int,
    ) -> State:
        circuit = self.circuit_with(coefficients)
        return step(circuit, state, i_in, dt, substeps, self.solver, self.hold_memristors)

    def leave(self, v: Tensor, coefficients: Mapping[str, Value]) -> Tensor:
        """``mem`` of the membrane voltage ``v`` (V)."""
        return (v - self.rest["v"]) / coefficients["volts"]

    def record(self, state: State, coefficients: Mapping[str, Value]) -> State:
        """The states that are ``recorded``, in the units that ``coefficients`` give them."""
        return {name: state[name] / coefficients[name] for name in self.recorded}

    def send(self, mem: Tensor, coefficients: Mapping[str, Value]) -> Tensor:
        """The spike that ``mem`` sends; not for the binary output, which has a surrogate."""
        return SPIKES[self.spike](self.relative(mem, coefficients)) * coefficients["height"]

    def relative(self, mem: Tensor, coefficients: Mapping[str, Value]) -> Tensor:
        """``mem`` as a fraction of its threshold."""
        return mem * (coefficients["volts"] / self.dv)

    def circuit_with(self, coefficients: Mapping[str, Value]) -> Circuit:
        """The circuit with the values that ``coefficients`` give it."""
        changes: dict[str, Any] = self._changes(self.circuit, coefficients)
        for name in self.circuit.__dataclass_fields__:
            part: Any = getattr(self.circuit, name)
            if hasattr(part, "__dataclass_fields__") and (
                values := self._changes(part, coefficients)
            ):
                changes[name] = replace(part, **values)
        changes |= {name: coefficients[name] for name in ("c_mem", *self.tuned)}
        factors = {name: coefficients[factor_of(name)] for name in self.varied}
        return scaled(replace(self.circuit, **changes), factors)

    def _changes(self, part: Any, coefficients: Mapping[str, Value]) -> dict[str, Value]:
        own = part.__dataclass_fields__
        shifts = {n: getattr(part, n) + coefficients[n] for n in self.learned_voltages if n in own}
        factors = {n: getattr(part, n) * coefficients[n] for n in self.learned_factors if n in own}
        return shifts | factors


def factor_of(name: str) -> str:
    """What the coefficient is called that multiplies the value ``name``, such as ``"m1.tau"``."""
    return f"varied_{name.replace('.', '_')}"


def scaled(circuit: Circuit, factors: Mapping[str, Value]) -> Circuit:
    """``circuit`` with the values that ``factors`` names, as in :class:`Dynamics`, multiplied."""
    values: dict[str, dict[str, Value]] = {"": {}}
    for name, factor in factors.items():
        part, _, component = name.rpartition(".")
        owner = getattr(circuit, part) if part else circuit
        values.setdefault(part, {})[component] = getattr(owner, component) * factor
    own = values.pop("")
    parts = {part: replace(getattr(circuit, part), **changed) for part, changed in values.items()}
    return replace(circuit, **own, **parts)
