"""A network as a circuit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_choice, check_positive
from ..crossbar import Crossbar
from ..crossbar.mapping import weight_per_siemens
from ..devices import Ohmic
from ..neurons import RMIF, MemristiveNeuron
from .arrays import Cell, pairs, resistor
from .formula import number, parameter
from .netlist import Netlist, Probe
from .pooling import POOLS, pooled
from .sources import EDGE, held, released
from .subcircuits import Subcircuit, cell_subcircuit, described, neuron_subcircuit
from .watch import Stage, watch
from .wiring import GROUND, Copy, copies

COUPLINGS = ("clocked", "free-running")

SETTLED = 20.0
"""Time constants of a sample-and-hold in the time in which it samples."""

HEADROOM = 2.0
"""A law of conduction without a formula is sampled up to so many times the largest input."""


@dataclass(frozen=True)
class _Current:
    """A part of what a crossbar computes: the current of a source, times a gain."""

    source: str
    gain: float


Signal = Sequence[str | list[_Current]]
"""Of every element what carries it: a node whose voltage it is, or currents that add up to it."""


def netlist(
    net: nn.Module,
    input_: Tensor,
    *,
    coupling: str = "clocked",
    neurons: Mapping[str, Sequence[int]] | None = None,
    per_layer: bool = False,
    max_step: float = 0.05,
    reltol: float = 1e-4,
) -> Netlist:
    """``net`` and its input as a circuit for ngspice, with every cell and every neuron in it.

    ``net`` is run once, from rest, to see its layers in their order and what they send; after
    that it is at rest.
    ``MIF`` and ``RMIF`` become sub-circuits printed from the equations of their circuit and its
    devices, ``RRAMLinear``, ``RRAMConv2d`` and recurrences one resistor per cell, with the
    conductances that the cells have now (levels, errors, drift, stuck cells; no read noise), and
    one per segment of wire if the array has wires; pooling becomes ideal sources. A convolution
    gets an array of its own for every position. Ideal, and called so in the circuit, are
    the drivers of rows, the virtual ground at the end of columns and the copy of its current into
    a neuron. A bias is a row that is on.

    ``coupling`` says how layers are joined:

    - "clocked": what a neuron sends is sampled at the end of each time step and held over the
      next one by an ideal sample-and-hold. This is what the training loop computes, except that
      layers work at the same time: a neuron layer is a step behind the one before it.
    - "free-running": the next layer sees every neuron's output as it is at every moment. This is
      the circuit that one would build; no clock is in it.

    Args:
        net: an ``nn.Sequential``, which is called with ``input_[step]`` at every step, or any
            module whose ``forward`` takes ``input_`` and calls its layers once in every time step.
        input_: one sample, shape ``(time, 1, ...)`` for an ``nn.Sequential``, or what ``forward``
            takes, for a batch of 1.
        coupling: "clocked" or "free-running".
        neurons: which neurons there are in the circuit, as numbers by name of their layer; all if
            left out. What the others sent in the run comes from sources.
        per_layer: every layer in a file of its own, which the circuit includes.
        max_step: longest step of ngspice, as a fraction of a time step.
        reltol: ngspice's tolerance.

    Raises:
        ValueError: if an argument is impossible, ``net`` is no chain of layers, has one for which
            there is no circuit, or its neurons differ in ``dt``, limit their states
            (``state_quant``), inhibit each other, or are none.

    >>> from snntorch_memristive import MIF, RRAMLinear
    >>> net = nn.Sequential(RRAMLinear(3, 2), MIF(0.9, init_hidden=True))
    >>> circuit = netlist(net, torch.rand(25, 1, 3))
    >>> circuit.text.count("\\nR"), circuit.text.count("\\nX1_")
    (16, 2)
    """
    return build(watch(net, input_), coupling, neurons, per_layer, max_step, reltol)


def build(
    stages: Sequence[Stage],
    coupling: str = "clocked",
    neurons: Mapping[str, Sequence[int]] | None = None,
    per_layer: bool = False,
    max_step: float = 0.05,
    reltol: float = 1e-4,
) -> Netlist:
    """As :func:`netlist`, of layers that have been watched."""
    check_choice("coupling", coupling, COUPLINGS)
    check_positive("of a time step", max_step=max_step)
    check_positive("(a fraction)", reltol=reltol)
    _check(stages)
    writer = _Writer(stages, coupling == "clocked", _chosen(stages, neurons))
    writer.write()
    return Netlist.of(
        writer.blocks, writer.probes, writer.dt, coupling, max_step * writer.dt, reltol, per_layer
    )


class _Writer:
    """The circuit, layer by layer."""

    def __init__(
        self, stages: Sequence[Stage], clocked: bool, chosen: Mapping[str, list[int]]
    ) -> None:
        self.stages, self.clocked, self.chosen = stages, clocked, chosen
        self.dt = next(_neurons(stages)).module.dt
        self.labels = _labels(stages)
        self.blocks: dict[str, list[str]] = {}
        """Lines by the label of the layer that they belong to."""
        self.probes: list[Probe] = []
        self.start = 0
        """Time step at which the current layer begins."""

    def write(self) -> None:
        first = self.stages[0].input_
        signal: Signal = []
        if not self._is_left_out(0):
            signal = self._sources("input", first, "what the network gets, 1 V for 1")
        for k, stage in enumerate(self.stages):
            lines = self.blocks.setdefault(self.labels[stage.name], [])
            if isinstance(stage.module, MemristiveNeuron):
                signal = self._neurons(stage, signal, lines)
            elif self._is_left_out(k):
                continue  # the neurons behind it are sources
            elif isinstance(stage.module, Crossbar):
                nodes = self._nodes(stage, signal, lines)
                wanted = self._wanted(k)
                signal = self._crossbar(stage.module, self.labels[stage.name], nodes, stage, wanted)
            elif isinstance(stage.module, POOLS):
                nodes = self._nodes(stage, signal, lines)
                signal = self._pool(stage, nodes, lines)

    # Signals

    def _sources(self, label: str, values: Tensor, comment: str) -> list[str]:
        """Nodes of sources that give ``values``, of shape (time, ...)."""
        columns = values.flatten(1).T.tolist()
        nodes = [f"{label}_{k}" for k in range(len(columns))]
        lines = [f"* {comment}"]
        lines += [
            f"V{node} {node} 0 {held(column, self.dt, self.start)}"
            for node, column in zip(nodes, columns, strict=True)
        ]
        self.blocks.setdefault(label, []).extend(lines)
        return nodes

    def _nodes(self, stage: Stage, signal: Signal, lines: list[str]) -> list[str]:
        """Nodes whose voltages are ``signal``."""
        label = self.labels[stage.name]
        nodes: list[str] = []
        for k, carrier in enumerate(signal):
            if isinstance(carrier, str):
                nodes.append(carrier)
                continue
            node = f"a{label}_{k}"
            lines += _copied(f"{label}_{k}", node, carrier, 1.0)
            lines.append(f"R{node} {node} 0 1")
            nodes.append(node)
        return nodes

    # Crossbars

    def _crossbar(
        self,
        layer: Crossbar,
        label: str,
        nodes: list[str],
        stage: Stage,
        wanted: set[int] | None = None,
    ) -> list[list[_Current]]:
        """Lines of the arrays of ``layer``, and what they compute of the voltages of ``nodes``."""
        shape = tuple(
            stage.output.shape[1:] if layer is not stage.module else stage.input_.shape[1:]
        )
        made = copies(layer, shape)
        lines = self.blocks.setdefault(label, [])
        has_bias = "bias" in layer._cells()
        name = stage.name if layer is stage.module else f"{stage.name}.recurrent"
        lines.append(
            f"* {_clean(name)}: {type(layer).__name__} of {described(layer.rram)}, in {len(made)} "
            f"place(s); cells in Ohm, rows at {layer.array.v_read:g} V for an input of 1"
        )
        cell = self._cell(layer, label, stage, lines)
        on = f"r{label}_on"
        if has_bias:
            lines.append("* bias: a row that is on from the layer's first time step")
            lines.append(f"V{on} {on} 0 {held([layer.array.v_read], self.dt, self.start)}")
        rows = self._drivers(layer, label, nodes, made, lines)
        gain = float(weight_per_siemens(layer.rram, layer.w_max().double(), layer.array.mapping))
        gain /= layer.array.v_read
        signal: list[list[_Current]] = [[] for _ in range(sum(len(c.columns) for c in made))]
        for k, copy in enumerate(made):
            columns = list(range(len(copy.columns)))
            if wanted is not None and layer.array.wires.ideal:  # others change nothing here
                columns = [j for j in columns if copy.columns[j] in wanted]
            drivers = [rows[row] for row in copy.rows] + [on] * has_bias
            more, read = pairs(f"{label}_{k}", drivers, copy.g[..., columns], layer.array, cell)
            lines += more
            for j, sources in zip(columns, read, strict=True):
                signal[copy.columns[j]] = [_Current(name, sign * gain) for name, sign in sources]
        return signal

    def _drivers(
        self, layer: Crossbar, label: str, nodes: list[str], made: list[Copy], lines: list[str]
    ) -> dict[int, str]:
        used = sorted({row for copy in made for row in copy.rows if row != GROUND})
        lines.append("* ideal drivers of the rows")
        for row in used:
            lines.append(
                f"E{label}_{row} r{label}_{row} 0 {nodes[row]} 0 {layer.array.v_read:.10g}"
            )
        return {row: f"r{label}_{row}" for row in used} | {GROUND: "0"}

    def _cell(self, layer: Crossbar, label: str, stage: Stage, lines: list[str]) -> Cell:
        law, v_read = layer.rram.conduction, layer.array.v_read
        if law == Ohmic():
            return resistor
        driven = stage.input_ if layer is stage.module else stage.output  # fed back
        largest = max(1.0, float(driven.abs().max())) * HEADROOM * v_read
        made = cell_subcircuit(law, f"cell_{label}", v_read, largest)
        lines.extend(made.text.splitlines())

        def cell(name: str, p: str, n: str, g: float) -> str:
            return made.call(name, {"p": p, "n": n}, {"g": f"{g:.10g}"})

        return cell

    # Everything else

    def _pool(self, stage: Stage, nodes: list[str], lines: list[str]) -> list[str]:
        label = self.labels[stage.name]
        lines.append(f"* {_clean(stage.name)}: {_clean(str(stage.module))}, ideal")
        made = []
        for k, expression in enumerate(pooled(stage.module, nodes, tuple(stage.input_.shape[1:]))):
            made.append(f"o{label}_{k}")
            lines.append(f"Bo{label}_{k} o{label}_{k} 0 V={expression}")
        return made

    def _neurons(self, stage: Stage, signal: Signal, lines: list[str]) -> list[str]:
        label, chosen = self.labels[stage.name], self.chosen[stage.name]
        neuron, shape = stage.module, stage.output.shape[1:]
        count = shape.numel()
        sent = [f"h{label}_{j}" if self.clocked else f"s{label}_{j}" for j in range(count)]
        after = self.start + 1 if self.clocked else self.start
        if len(chosen) < count:
            others = sorted(set(range(count)) - set(chosen))
            sent = self._left_out(stage, sent, others, after)
        if not chosen:
            self.start = after
            return sent
        values = _values(neuron, shape)
        made, amperes = self._subcircuit(stage, values)
        lines.extend(made.text.splitlines())
        hold = f"hold{label}"
        if "hold" in made.ports:
            lines.append("* holds the neurons where they start until their first time step")
            lines.append(f"V{hold} {hold} 0 {released(self.start * self.dt, self.dt)}")
        received: list[list[Any]] = [[c] if isinstance(c, str) else list(c) for c in signal]
        if isinstance(neuron, RMIF):
            label_ = f"{label}r"
            fed_back = self._crossbar(neuron.recurrent, label_, sent, stage, set(chosen))
            lines.extend(self.blocks.pop(label_))
            for own, more in zip(received, fed_back, strict=True):
                own += more
        lines.append("* neurons: ideal copies of the columns' currents, and the circuit")
        for j in chosen:
            nodes = {"v": f"v{label}_{j}", "spk": f"s{label}_{j}", "in": f"i{label}_{j}"}
            nodes["hold"] = hold
            entry = nodes["in"] if "in" in made.ports else nodes["v"]
            lines += _copied(f"{label}_{j}", entry, received[j], amperes[j])
            lines.append(
                made.call(f"{label}_{j}", nodes, {n: number(values[n][j]) for n in made.parameters})
            )
        if self.clocked and (stage is not self.stages[-1] or isinstance(neuron, RMIF)):
            lines += _sample_and_hold(label, chosen, self.dt)
        self.probes.append(Probe.of(stage, label, chosen, self.start, self.dt))
        self.start = after
        return sent

    def _subcircuit(self, stage: Stage, values: dict[str, list[float]]) -> tuple[Subcircuit, list]:
        """Where all neurons have the same value it is in the sub-circuit, else a parameter."""
        coefficients: dict[str, Any] = {
            name: each[0] if min(each) == max(each) else parameter(name)
            for name, each in values.items()
        }
        label = self.labels[stage.name]
        comment = f"{_clean(stage.name)}: {len(values['volts'])} x {type(stage.module).__name__}"
        dynamics = stage.module._dynamics
        # A trained circuit may rest elsewhere than it starts, and must not go there too early.
        may_drift = bool(dynamics.learned_voltages or dynamics.learned_factors or dynamics.varied)
        waits = self.start > 0 and may_drift
        made = neuron_subcircuit(dynamics, coefficients, f"neuron_{label}", comment, waits)
        return made, values["amperes"]

    def _left_out(self, stage: Stage, sent: list[str], others: list[int], after: int) -> list[str]:
        """``sent`` with sources of what the neurons ``others`` sent in the run."""
        now, self.start = self.start, after
        nodes = self._sources(
            f"x{self.labels[stage.name]}",
            stage.output.flatten(1)[:, others],
            f"{_clean(stage.name)}: what the neurons that are left out sent",
        )
        self.start = now
        replaced = dict(zip(others, nodes, strict=True))
        return [replaced.get(k, node) for k, node in enumerate(sent)]

    def _is_left_out(self, k: int) -> bool:
        """Are all neurons of the next layer of them left out?"""
        following = next(_neurons(self.stages[k:]), None)
        return following is not None and not self.chosen[following.name]

    def _wanted(self, k: int) -> set[int] | None:
        """Outputs of layer ``k`` that somebody reads; None for all."""
        following = self.stages[k + 1]  # the last one is a neuron
        is_neuron = isinstance(following.module, MemristiveNeuron)
        return set(self.chosen[following.name]) if is_neuron else None


def _copied(name: str, node: str, carriers: list[Any], factor: float) -> list[str]:
    """Sources of the current into ``node`` (A): the sum of ``carriers``, times ``factor``."""
    lines = []
    for k, carrier in enumerate(carriers):
        if isinstance(carrier, str):
            lines.append(f"G{name}_{k} 0 {node} {carrier} 0 {number(factor)}")
        else:
            lines.append(f"F{name}_{k} 0 {node} {carrier.source} {number(carrier.gain * factor)}")
    return lines


def _sample_and_hold(label: str, chosen: list[int], dt: float) -> list[str]:
    lines = ["* ideal sample-and-hold of what is sent"]
    for j in chosen:
        s, k = f"s{label}_{j}", f"k{label}_{j}"
        lines.append(f"B{k} {s} {k} I=V(clock)*V({s},{k})")  # a switch: 1 Ohm, or open
        lines.append(f"C{k} {k} 0 {dt * EDGE / SETTLED:g} ic=0")
        lines.append(f"Eh{label}_{j} h{label}_{j} 0 k{label}_{j} 0 1")
    return lines


def _neurons(stages: Sequence[Stage]) -> Iterator[Stage]:
    return (stage for stage in stages if isinstance(stage.module, MemristiveNeuron))


def _values(neuron: MemristiveNeuron, shape: torch.Size) -> dict[str, list[float]]:
    """Every coefficient of every neuron."""
    given = neuron._coefficients(torch.float64)
    # What is drawn from cycle to cycle is drawn for a batch, here of one.
    each = {n: value.detach().expand(1, *shape) for n, value in given.items()}
    return {n: value.flatten().tolist() for n, value in each.items()}


def _chosen(
    stages: Sequence[Stage], neurons: Mapping[str, Sequence[int]] | None
) -> dict[str, list[int]]:
    counts = {stage.name: stage.output[0].numel() for stage in _neurons(stages)}
    if neurons is None:
        return {name: list(range(count)) for name, count in counts.items()}
    chosen = {name: [int(n) for n in numbers] for name, numbers in neurons.items()}
    for name, numbers in chosen.items():
        if name not in counts:
            known = ", ".join(map(repr, counts))
            raise ValueError(f"Expected `neurons` of the layers {known}, but got {name!r}.")
        if not all(0 <= number < counts[name] for number in numbers):
            raise ValueError(
                f"Expected numbers from 0 to {counts[name] - 1} of neurons of {name!r}, "
                f"but got {numbers}."
            )
    if not any(chosen.values()):
        raise ValueError("Expected at least one neuron in `neurons`, but got none.")
    return {name: sorted(set(chosen.get(name, ()))) for name in counts}


def _check(stages: Sequence[Stage]) -> None:
    for name, module, input_, output, _ in stages:
        if input_[0].numel() == 0 or output[0].numel() == 0:
            raise ValueError(f"Expected inputs and outputs of every layer, but {name!r} has none.")
        if isinstance(module, MemristiveNeuron):
            if module.state_quant or module.inhibition:
                what = "inhibition" if module.inhibition else "state_quant"
                raise ValueError(f"Expected neurons without {what}, which {name!r} has.")
        elif isinstance(module, Crossbar):
            if module.rram.conduction != Ohmic() and not module.array.wires.ideal:
                raise ValueError(
                    f"Expected ohmic cells behind wires, but {name!r} has {module.rram.conduction}."
                )
        elif not isinstance(module, POOLS):
            raise ValueError(
                f"Expected layers that have a circuit, but {name!r} is a {type(module).__name__}. "
                "`convert` makes memristive twins of snnTorch's neurons, nn.Linear and nn.Conv2d."
            )
    if not isinstance(stages[-1].module, MemristiveNeuron):
        raise ValueError(f"Expected a neuron as the last layer, but got {stages[-1].name!r}.")
    lengths = {stage.module.dt for stage in _neurons(stages)}
    if len(lengths) > 1:
        listed = ", ".join(f"{dt:g} s" for dt in sorted(lengths))
        raise ValueError(f"Expected one `dt` of all neurons, but got {listed}.")


def _labels(stages: Sequence[Stage]) -> dict[str, str]:
    """A name of letters and digits for every layer, whatever its own is."""
    labels: dict[str, str] = {}
    for k, stage in enumerate(stages):
        letters = "".join(c if c.isascii() and c.isalnum() else "" for c in stage.name).lower()
        labels[stage.name] = f"{k}_{letters}" if letters and not letters.isdigit() else f"{k}"
    return labels


def _clean(text: str) -> str:
    """``text`` for a comment: in one line, of printable ASCII."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text.replace("\n", " "))
