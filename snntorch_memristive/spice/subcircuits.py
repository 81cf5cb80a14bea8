"""Sub-circuits of devices and neurons, printed from their one statement."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, get_type_hints

import torch

from ..circuits import Circuit, MIFCircuit
from ..devices import Conduction, Device
from ..engine.expression import Symbol, UntraceableError, where
from ..functional import Dynamics
from ..relaxation import Equation, rates
from .formula import Printer, number, parameter
from .sampled import sampled

STATE_CAPACITOR = 1e-6
"""Capacitor (F) whose voltage is a state of a device or a filter."""

HELD = 1e3
"""Conductance (S) that holds a state before its layer begins."""

SCALES = {"A": 1e6}
"""Volts that stand for one unit of a state; those of others stand for 1. A current is in µA, so
that it is not lost in ngspice's tolerance of voltages."""


class Subcircuit(NamedTuple):
    """A sub-circuit, to be put before what calls it."""

    name: str
    ports: tuple[str, ...]
    parameters: tuple[str, ...]
    """Names of the values that a caller gives."""
    text: str
    """From ``.subckt`` to ``.ends``, behind the sub-circuits that it calls itself."""

    def call(self, instance: str, nodes: Mapping[str, str], values: Mapping[str, Any]) -> str:
        """The line of one instance, with ``nodes`` by port and ``values`` by parameter."""
        given = "".join(f" {name}={values[name]}" for name in self.parameters)
        return f"X{instance} {' '.join(nodes[port] for port in self.ports)} {self.name}{given}"


def device_subcircuit(device: Device, name: str) -> Subcircuit:
    """The memristor ``device`` between ``p`` and ``n``; the voltage of ``x`` is its state.

    Its parameters are ``x0``, the state to start from, and whatever in ``device`` is one.
    """
    x, v = Symbol.named("V(x)"), Symbol.named("V(p,n)")
    put = Printer()
    rate, current = put(device.rate(x, v)), put(device.current(x, v))
    names = ("x0", *put.parameters)
    lines = [
        f"* {described(device)}",
        "* x: state of the device, 1 V for 1; p, n: its two terminals.",
        _head(name, ("p", "n", "x"), names),
        f"Cx x 0 {STATE_CAPACITOR:g} ic={{x0}}",
        *put.lines,
        f"Bx 0 x I={STATE_CAPACITOR:g}*{rate}",
        f"Bi p n I={current}",
        ".ends",
    ]
    return Subcircuit(name, ("p", "n", "x"), names, "\n".join(lines))


def cell_subcircuit(law: Conduction, name: str, v_read: float, v_max: float) -> Subcircuit:
    """A memory cell that is not ohmic, between ``p`` and ``n``, of conductance ``g`` at ``v_read``.

    A law for which there is no formula is sampled up to ``v_max`` (V).
    """
    v = Symbol.named("V(p,n)")
    put = Printer()
    try:
        current = put(law.current(1.0, v))
    except UntraceableError:
        current = sampled(lambda volts: law.current(1.0, volts), v_max, "V(p,n)")
    unit = float(law.chord(torch.tensor(v_read, dtype=torch.float64)))
    lines = [
        f"* {described(law)}; g is the conductance at {v_read:g} V",
        _head(name, ("p", "n"), ("g",)),
        *put.lines,
        f"Bi p n I={{g}}*{number(1 / unit)}*{current}",
        ".ends",
    ]
    return Subcircuit(name, ("p", "n"), ("g",), "\n".join(lines))


def neuron_subcircuit(
    dynamics: Dynamics,
    coefficients: Mapping[str, Any],
    name: str,
    comment: str,
    waits: bool = False,
) -> Subcircuit:
    """A neuron: its current arrives at ``in`` (or ``v``), ``v`` is its membrane, ``spk`` is sent.

    A coefficient is a number, or a parameter of the sub-circuit if it differs between neurons. One
    that ``waits`` has a port ``hold``, and stays where it starts as long as that is at 1 V.
    """
    circuit = dynamics.circuit_with(coefficients)
    printer = _Neuron(circuit, dynamics, name)
    lines = printer.membrane()
    mem = dynamics.leave(printer.state["v"], coefficients)
    spk = printer.put(_spike(dynamics, mem, coefficients))
    lines += [*printer.put.lines, f"Bspk spk 0 V={spk}"]
    ports: tuple[str, ...] = ("v", "spk") if printer.is_direct else ("in", "v", "spk")
    if waits:
        lines += printer.holds()
        ports += ("hold",)
    names = tuple(printer.put.parameters)
    head = [f"* {comment}: {described(circuit)}", _head(name, ports, names)]
    own = "\n".join([*head, *lines, ".ends"])
    return Subcircuit(
        name, ports, names, "\n".join([*(made.text for _, made in printer.devices), own])
    )


class _Neuron:
    """The lines of one neuron's sub-circuit."""

    def __init__(self, circuit: Circuit, dynamics: Dynamics, name: str) -> None:
        self.circuit: Any = circuit  # with branches if `_has_branches`
        self.rest: dict[str, Any] = dynamics.rest
        self.name = name
        self.equations = circuit.equations(dynamics.hold_memristors)
        self.put = Printer()
        self.devices: list[tuple[Any, Subcircuit]] = []
        self.moving = _moving(self.equations, dynamics.rest)
        self.state: dict[str, Any] = {
            state: self._symbol(state) if state in self.moving else dynamics.rest[state]
            for state in circuit.states
        }
        self.i_in = Symbol.named("I(Vin)")

    @property
    def is_direct(self) -> bool:
        """Does the input current arrive at the membrane itself?"""
        return self._has_branches and self.circuit.arriving(self.state, self.i_in) is self.i_in

    @property
    def _has_branches(self) -> bool:
        """Is Kirchhoff's law that of its branches, and not a subclass's own?"""
        own = type(self.circuit)
        return isinstance(self.circuit, MIFCircuit) and (
            own.membrane is MIFCircuit.membrane and own.memristors is MIFCircuit.memristors
        )

    def value(self, formula: Any) -> str:
        """``formula`` in the place of a number."""
        text = self.put(formula)
        return "{" + text.replace("{", "").replace("}", "") + "}" if "{" in text else text

    def holds(self) -> list[str]:
        """What keeps every state where it starts as long as the node ``hold`` is at 1 V."""
        return [
            f"Bh{state} {state} 0 I=V(hold)*{HELD:g}*(V({state})-{self._start(state)})"
            for state in self.moving
        ]

    def _start(self, state: str) -> str:
        return number(self.rest[state] * self._scale(state))

    def membrane(self) -> list[str]:
        """Everything but the output."""
        lines = [] if self.is_direct else ["Vin in 0 0", *self._states()]
        lines.append(f"Cmem v 0 {self.value(self.circuit.c_mem)} ic={number(self.rest['v'])}")
        if not self._has_branches:
            rate = rates(self.equations, self.state, self.i_in)["v"]
            return [*lines, f"Bv 0 v I={self.put(self.circuit.c_mem * rate)}"]
        if not self.is_direct:
            arriving = self.circuit.arriving(self.state, self.i_in)
            lines.append(f"Bin 0 v I={self.put(arriving)}")
        return lines + self._branches()

    def _states(self) -> list[str]:
        """States that no device of a branch holds."""
        held = [branch.state for branch in self.circuit.branches()] if self._has_branches else []
        lines = []
        for state, rate in rates(self.equations, self.state, self.i_in).items():
            if state != "v" and state not in held:
                scale = self._scale(state)
                lines += [
                    f"C{state} {state} 0 {STATE_CAPACITOR:g} ic={number(self.rest[state] * scale)}",
                    f"B{state} 0 {state} I={self.put(STATE_CAPACITOR * scale * rate)}",
                ]
        return lines

    def _branches(self) -> list[str]:
        lines = []
        for k, branch in enumerate(self.circuit.branches(), start=1):
            end = f"e{k}"
            lines.append(f"Ve{k} {end} 0 {self.value(branch.source)}")
            if branch.state in self.moving:
                device = self._device(branch.device)
                passed = {name: f"{{{name}}}" for name in device.parameters}
                passed["x0"] = number(self.rest[branch.state])
                nodes = {"p": "v", "n": end, "x": branch.state}
                lines.append(device.call(f"m{k}", nodes, passed))
            else:  # a resistor, or a memristor that is held
                lines.append(f"R{k} v {end} {self.value(1 / branch.conductance(self.state))}")
        return lines

    def _device(self, device: Any) -> Subcircuit:
        for other, made in self.devices:
            if other == device:
                return made
        made = device_subcircuit(device, f"{self.name}_m{len(self.devices) + 1}")
        self.devices.append((device, made))
        for name in made.parameters:
            if name != "x0":  # the circuit passes it on
                self.put(parameter(name))
        return made

    def _symbol(self, state: str) -> Symbol:
        node, scale = Symbol.named(f"V({state})"), self._scale(state)
        return node if scale == 1 else node * (1 / scale)

    def _scale(self, state: str) -> float:
        return SCALES.get(self.circuit.state_units[state], 1.0)


def _moving(equations: tuple[Equation, ...], rest: Mapping[str, Any]) -> set[str]:
    state = {name: Symbol.named(name) for name in rest}
    return {name for equation in equations for name in equation(state, Symbol.named("i_in"))}


def _spike(dynamics: Dynamics, mem: Any, coefficients: Mapping[str, Any]) -> Any:
    if dynamics.spike != "binary":
        return dynamics.send(mem, coefficients)
    return where(dynamics.relative(mem, coefficients) > 1.0, coefficients["height"], 0.0)


def described(part: Any) -> str:
    """Name and values of a device or a circuit, without the devices in it, for a comment."""
    hints = get_type_hints(type(part), include_extras=True)
    values = {f.name: getattr(part, f.name) for f in fields(part) if f.compare}
    absent = {
        f.name for f in fields(part) if f.default in (0.0, None) and values[f.name] == f.default
    }
    plain = {n: v for n, v in values.items() if not is_dataclass(v) and n not in absent}
    listed = [f"{n}={_figure(v)}{_unit(hints[n])}" for n, v in plain.items()]
    return f"{type(part).__name__} {', '.join(listed)}"


def _figure(value: Any) -> str:
    return Printer()(value) if isinstance(value, (float, Symbol)) else str(value)


def _unit(hint: Any) -> str:
    unit = getattr(hint, "__metadata__", ("",))[0]
    return "" if unit in ("", "1") else " " + unit.replace("Ω", "Ohm").replace("²", "2")


def _head(name: str, ports: tuple[str, ...], names: tuple[str, ...]) -> str:
    """With 0 in the place of every parameter, which every caller gives."""
    given = "".join(f" {n}=0" for n in names)
    return f".subckt {name} {' '.join(ports)}{given}"
