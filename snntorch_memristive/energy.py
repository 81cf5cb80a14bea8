r"""Energy and area of a run, from its voltages and conductances.

Energy is Joule heat: :math:`\int g v^2 dt` over the cells of the crossbars and the memristors of
the neurons. No constant "per operation" stands in here, so it follows from weights, inputs and
devices, and is differentiable with respect to them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor, nn

from .checks import check_positive
from .circuits import Circuit, MIFCircuit, Resistor
from .crossbar import Crossbar, RRAMConv2d, RRAMOneToOne
from .functional import integrate, rest_state
from .neurons import RMIF, MemristiveNeuron
from .relaxation import State
from .reset import reset
from .run import _layers, _through
from .units import Second, Value, Volt

SAMPLES = 8
"""Parts of a time step between which Simpson's rule takes the power of a neuron. Even.

Against 512 parts, on the 14 stimuli of ``tests/test_spice.py``, the heat is off by at most 0.02 %
at a ``beta`` of 0.9, 0.11 % with the default capacitor and 0.42 % at a ``beta`` of 0.5.
"""

CELL_AREA = 4 * 40e-9**2
"""4 F^2 (m^2) at a feature size F of 40 nm: the pitch of a crosspoint is two features."""

CAPACITANCE_PER_AREA = 2e-3
"""Of a plate capacitor between metals (F/m^2; 2 fF/µm^2), as in the open design kits SKY130
(``sky130_fd_pr__cap_mim_m3_1``) and GF180MCU (``cap_mim_2f0_m4m5_noshield``)."""

PREFIXES = "yzafpnµm kMGT"


@dataclass(frozen=True)
class Balance:
    """Where the energy of neurons came from, and where it went (J, each ``(*neurons)``).

    ``input + source1 + source2 = memristor1 + memristor2 + stored``.
    """

    input: Tensor
    """Delivered by the current into the membrane."""
    source1: Tensor
    """Delivered by the bias source of branch 1; negative if it was charged."""
    source2: Tensor
    """Likewise, of branch 2."""
    memristor1: Tensor
    """Heat in memristor 1."""
    memristor2: Tensor
    """Heat in memristor 2."""
    stored: Tensor
    """Gained by the capacitor, c v^2 / 2."""

    @property
    def heat(self) -> Tensor:
        """Heat in both memristors (J, ``(*neurons)``)."""
        return self.memristor1 + self.memristor2

    @property
    def delivered(self) -> Tensor:
        """By the input and both sources (J, ``(*neurons)``)."""
        return self.input + self.source1 + self.source2


@dataclass(frozen=True)
class LayerEnergy:
    """One layer of an :class:`EnergyReport`."""

    name: str
    """In the network, as ``named_modules`` has it."""
    kind: str
    """Its class."""
    energy: Tensor | None = None
    """Heat per inference (J, 0-d); None if the layer has no memristors and is not counted."""
    share: float | None = None
    """Of the total."""
    memristors: int = 0
    """Cells of a crossbar, devices of neurons."""
    capacitance: float = 0.0
    """Of all membranes (F)."""
    balance: Balance | None = field(default=None, repr=False)
    """Of neurons: where the energy came from and went, per inference (each 0-d)."""


@dataclass(frozen=True)
class EnergyReport:
    """Energy of one inference, layer by layer. ``print`` it for a table with its assumptions."""

    rows: tuple[LayerEnergy, ...]
    v_read: tuple[float, ...]
    """Voltages that occur of a row whose input is 1 (V)."""
    steps: int
    """Time steps of an inference."""
    dt: tuple[float, ...]
    """Lengths of a time step that occur (s)."""
    batch: int
    """Samples over which the mean was taken."""

    @property
    def total(self) -> Tensor:
        """Heat per inference (J, 0-d), with its graph: a term of a loss."""
        return torch.stack([row.energy for row in self.rows if row.energy is not None]).sum()

    @property
    def crossbars(self) -> Tensor:
        """The part of the crossbars (J, 0-d)."""
        return self.total - self.neurons

    @property
    def neurons(self) -> Tensor:
        """The part of the neurons (J, 0-d)."""
        rows = [row for row in self.rows if row.balance is not None]
        parts = [row.energy for row in rows if row.energy is not None]
        return sum(parts, torch.zeros_like(self.total))

    def area(
        self, cell_area: float = CELL_AREA, capacitance_per_area: float = CAPACITANCE_PER_AREA
    ) -> "AreaReport":
        """Area of the memristors and capacitors, layer by layer.

        Args:
            cell_area: of one memristor, in m^2; 4 F^2 at 40 nm by default.
            capacitance_per_area: of the membrane capacitors, in F/m^2.

        Raises:
            ValueError: if one of them is not above zero.
        """
        check_positive("m^2", cell_area=cell_area)
        check_positive("F/m^2", capacitance_per_area=capacitance_per_area)
        rows = tuple(
            LayerArea(
                row.name,
                row.kind,
                row.memristors,
                row.memristors * cell_area,
                row.capacitance / capacitance_per_area,
            )
            for row in self.rows
            if row.energy is not None
        )
        return AreaReport(rows, cell_area, capacitance_per_area)

    def __str__(self) -> str:
        total = _si(self.total.item(), "J")
        table = [("layer", "kind", "energy per inference", "share")]
        for row in self.rows:
            if row.energy is None:
                table.append((row.name, row.kind, "not counted", ""))
            else:
                energy = _si(row.energy.item(), "J")
                table.append((row.name, row.kind, energy, f"{row.share:.1%}"))
        table.append(("total", "", total, ""))
        return "\n".join([_table(table), "", *self._assumptions()])

    def _assumptions(self) -> list[str]:
        steps = " or ".join(_si(dt, "s") for dt in self.dt)
        volts = " or ".join(_si(v_read, "V") for v_read in self.v_read)
        lines = [
            f"Joule heat from rest over {self.steps} steps of {steps}, mean of {self.batch} "
            "samples. The step of the MEMprop circuit, 1 µs, is inferred.",
            f"An input of 1 is a row at {volts} for a whole step; a bias is a row that is always "
            "on. Columns are at an ideal virtual ground, wires without resistance.",
            "Not counted: drivers, sense amplifiers, converters, digital parts.",
        ]
        balances = [row.balance for row in self.rows if row.balance is not None]
        if balances:
            parts = {
                name: _si(sum(getattr(b, name).item() for b in balances), "J")
                for name in ("input", "source1", "source2", "stored")
            }
            lines.append(
                f"Neurons: input currents delivered {parts['input']}, bias sources "
                f"{parts['source1']} (e1) and {parts['source2']} (e2); {parts['stored']} were left "
                "on the capacitors."
            )
        return lines


class LayerArea(NamedTuple):
    """One layer of an :class:`AreaReport`."""

    name: str
    kind: str
    memristors: int
    """Two per neuron, and as many as the mapping takes per weight and bias."""
    memristor_area: float
    """In m^2."""
    capacitor_area: float
    """In m^2."""

    @property
    def area(self) -> float:
        """In m^2."""
        return self.memristor_area + self.capacitor_area


@dataclass(frozen=True)
class AreaReport:
    """Least area of a network, layer by layer. ``print`` it for a table with its assumptions."""

    rows: tuple[LayerArea, ...]
    cell_area: float
    """Of one memristor (m^2)."""
    capacitance_per_area: float
    """Of the membrane capacitors (F/m^2)."""

    @property
    def total(self) -> float:
        """In m^2."""
        return sum(row.area for row in self.rows)

    def __str__(self) -> str:
        heading = ("layer", "kind", "memristors", "their area", "capacitors", "share")
        table: list[tuple[str, ...]] = [heading]
        for row in self.rows:
            areas = (_area(a) for a in (row.memristor_area, row.capacitor_area))
            share = f"{row.area / self.total:.1%}"
            table.append((row.name, row.kind, str(row.memristors), *areas, share))
        count = str(sum(row.memristors for row in self.rows))
        table.append(("total", "", count, "", _area(self.total), ""))
        lines = [
            f"A lower bound: {_area(self.cell_area)} per memristor, two of them per neuron and, "
            "but with an offset column, per weight and bias; nothing for drivers, read-out and "
            "wiring.",
            f"Membrane capacitors of {self.capacitance_per_area * 1e3:g} fF/µm².",
        ]
        return "\n".join([_table(table), "", *lines])


def energy(
    net: nn.Sequential,
    input_: Tensor,  # shape: (time, batch, ...)
    *,
    v_read: Annotated[float, "V"] | None = None,
) -> EnergyReport:
    r"""Energy that the memristors of ``net`` turn into heat in one inference, layer by layer.

    Runs ``net`` from rest as :func:`~snntorch_memristive.run` does, in the mode that it is in,
    and leaves it at rest. It takes tens of times as long: neurons are followed again, on torch's
    operations.

    - A crossbar, at each read: :math:`dt\, i(v)\, v` at :math:`v = v_{read}\, x` for all cells, by
      their law of conduction, with ``x`` the input of the row and ``dt`` the time step of the
      neuron that the layer feeds (of the one before it, for a last layer). A convolution reads
      every position of its window.
    - Memristive neurons: :math:`\int g(x_k)\,(v - e_k)^2\, dt`. See :func:`balance`, which follows
      the circuit in finer steps than the neuron does.

    For a network that saves energy, add it to the loss::

        loss = cross_entropy(mem_rec[-1], targets) + 1e6 * energy(net, images).total

    The gradient is that of the heat at the present gain of the read-out: none passes through the
    largest weight's size, which sets that gain (``Crossbar.w_max``).

    Args:
        net: an ``nn.Sequential``, of any depth, whose neurons have ``init_hidden=True``.
        input_: what the first layer gets, with time as the first dimension.
        v_read: voltage of a row whose input is 1, in V; that of each layer's array if left out.

    Returns:
        The energy per inference, as the mean over the batch. Layers without memristors are listed
        as not counted, as is a block whose ``forward`` is its own or that has hooks.

    Raises:
        TypeError: if ``net`` is no ``nn.Sequential``, or the circuit of a neuron no
            :class:`~.MIFCircuit`.
        ValueError: if ``v_read`` is not above zero, ``input_`` has no dimension of time or none of
            batch, ``net`` has no memristive neuron, one without ``init_hidden``, one layer twice
            or hooks of its own, or as the layers do.
    """
    if v_read is not None:
        check_positive("V", v_read=v_read)
    _check_net(net)
    if input_.dim() < 3 or 0 in input_.shape[:2]:
        raise ValueError(
            f"Expected `input_` of shape (time, batch, ...), but got {tuple(input_.shape)}."
        )
    reset(net)
    try:
        visits = list(_visits(net, input_))
    finally:
        reset(net)
    lengths = _step_lengths(visits)
    rows = [_row(visit, v_read, dt) for visit, dt in zip(visits, lengths, strict=True)]
    total = sum(row["energy"].item() for row in rows if "energy" in row)
    for row in rows:
        if "energy" in row:
            row["share"] = row["energy"].item() / total
    crossbars = [visit.layer for visit in visits if isinstance(visit.layer, Crossbar)]
    return EnergyReport(
        rows=tuple(LayerEnergy(**row) for row in rows),
        v_read=tuple(sorted({_volts(layer, v_read) for layer in crossbars})),
        steps=input_.shape[0],
        dt=tuple(sorted(set(lengths))),
        batch=input_.shape[1],
    )


def balance(
    circuit: Circuit,
    i_in: Tensor,  # shape: (time, *neurons), A
    dt: Annotated[float, "s"],
    state: State | None = None,  # shapes: (*neurons)
    hold_memristors: bool = False,
) -> Balance:  # shapes: (*neurons), J
    """Where the energy of ``circuit`` comes from and goes under ``i_in``.

    The circuit is followed in ``SAMPLES`` sub-steps per time step with the default solver,
    whatever those of a neuron are, and the powers are summed by Simpson's rule.

    Args:
        circuit: a :class:`~.MIFCircuit`.
        i_in: input current in A, held over each step of ``dt`` seconds.
        dt: time step in s.
        state: where to start; the circuit's rest if not given.
        hold_memristors: leave the memristor states as they are.

    Raises:
        TypeError: if ``circuit`` is of another kind, whose branches are not known.
        ValueError: as :func:`~snntorch_memristive.functional.integrate`.

    >>> from snntorch_memristive.circuits import MIFCircuit
    >>> no_input = torch.zeros(100, dtype=torch.float64)
    >>> f"{balance(MIFCircuit(), no_input, dt=1e-6).heat:.3g} J"
    '1.6e-12 J'
    """
    if not isinstance(circuit, MIFCircuit):
        raise TypeError(f"Expected a MIFCircuit, but got {type(circuit).__name__}.")
    start = state = rest_state(circuit, i_in[0]) if state is None else state
    total: dict[str, Tensor] = {}
    for current in i_in:
        held = current.expand(SAMPLES, *current.shape)
        record = integrate(circuit, held, dt / SAMPLES, state, 1, hold_memristors=hold_memristors)
        path = {name: torch.cat([state[name][None], part]) for name, part in record.items()}
        for name, power in _powers(circuit, path, current).items():
            total[name] = total.get(name, 0) + _simpson(power) * dt
        state = {name: part[-1] for name, part in record.items()}
    charge = circuit.c_mem * (state["v"] - start["v"])
    return Balance(**total, stored=charge * (state["v"] + start["v"]) / 2)


def programming_energy(
    g: Tensor,  # shape: any, S
    v_write: Volt,
    width: Second,
    pulses: Value = 1,
) -> Tensor:  # shape: as g, J
    """Heat of ``pulses`` write pulses of ``v_write`` volts and ``width`` seconds in cells ``g``.

    Each cell is taken to keep its conductance during the pulse.

    >>> programming_energy(torch.tensor(1e-3), v_write=2.0, width=50e-9, pulses=10)
    tensor(2.0000e-09)
    """
    return pulses * width * v_write**2 * g


class _Visit(NamedTuple):
    """A layer, and what it got in the run."""

    name: str
    layer: nn.Module
    input_: Tensor  # shape: (time, batch, ...)


def _check_net(net: nn.Module) -> None:
    if not isinstance(net, nn.Sequential):
        raise TypeError(f"Expected an nn.Sequential, but got {type(net).__name__}.")
    layers = list(_layers(net))
    if layers == [net] or len(set(layers)) < len(layers):
        raise ValueError(
            "Expected `net` to call its layers one after the other, each once, without hooks or a "
            "forward of its own."
        )
    neurons = [layer for layer in layers if isinstance(layer, MemristiveNeuron)]
    if not neurons:
        raise ValueError(
            "Expected `net` to have a memristive neuron, whose time step is that of the reads, "
            "but found none."
        )
    if not all(neuron.init_hidden for neuron in neurons):
        raise ValueError("Expected `init_hidden=True` of every neuron in `net`, but got False.")


def _visits(net: nn.Sequential, record: Tensor) -> Iterator[_Visit]:
    """Every layer in order; the crossbar of a recurrence before its neuron."""
    names = {module: name for name, module in net.named_modules()}
    for layer in _layers(net):
        with _listening(layer) as heard:
            output: Any = _through(layer, record)
        if isinstance(layer, RMIF) and heard:
            sent, received = (torch.stack(part) for part in zip(*heard, strict=True))
            yield _Visit(names[layer.recurrent], layer.recurrent, sent)
            record = record + received
        yield _Visit(names[layer], layer, record)
        record = output


@contextmanager
def _listening(layer: nn.Module) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """What the recurrent crossbar of ``layer`` gets and returns at every step, if it has one."""
    heard: list[tuple[Tensor, Tensor]] = []
    if not isinstance(layer, RMIF):
        yield heard
        return
    hook = layer.recurrent.register_forward_hook(
        lambda _, inputs, output: heard.append((inputs[0], output))
    )
    try:
        yield heard
    finally:
        hook.remove()


def _step_lengths(visits: Sequence[_Visit]) -> list[float]:
    """Time step (s) of the next neuron, for every layer; after the last neuron, of that one."""
    neurons = [visit.layer for visit in visits if isinstance(visit.layer, MemristiveNeuron)]
    lengths, following = [], neurons[-1]
    for visit in reversed(visits):
        following = visit.layer if isinstance(visit.layer, MemristiveNeuron) else following
        lengths.append(following.dt)
    return lengths[::-1]


def _volts(layer: Crossbar, v_read: float | None) -> float:
    return layer.array.v_read if v_read is None else v_read


def _row(visit: _Visit, v_read: float | None, dt: float) -> dict:
    """The fields of a :class:`LayerEnergy`, those that there are."""
    name, layer, input_ = visit
    row = {"name": name, "kind": type(layer).__name__}
    if isinstance(layer, Crossbar):
        return row | _of_crossbar(layer, input_, v_read, dt)
    if isinstance(layer, MemristiveNeuron):
        return row | _of_neurons(layer, input_)
    return row


def _of_crossbar(layer: Crossbar, input_: Tensor, v_read: float | None, dt: float) -> dict:
    if isinstance(layer, RRAMConv2d) and input_.dim() != 5:
        raise ValueError(
            "Expected the input of an RRAMConv2d to be of shape (time, batch, channels, height, "
            f"width), but got {tuple(input_.shape)}."
        )
    cells = {name: layer.conductances(name) for name in layer._cells()}
    pairs = {name: layer._counted_once(g).sum(0) for name, g in cells.items()}
    law, on = layer.rram.conduction, _volts(layer, v_read)

    def per_siemens(volts: Tensor) -> Tensor:
        """Power of a cell over the conductance that it has at its array's read voltage."""
        stated = law.chord(torch.as_tensor(layer.array.v_read).to(volts))
        return volts.square() * law.chord(volts) / stated

    # The layer's own operation, of conductances on these, adds up the power of the cells.
    driven = per_siemens(input_.to(pairs["weight"].dtype) * on).flatten(0, 1)
    bias = pairs.get("bias")
    always_on = None if bias is None else bias * per_siemens(bias.new_tensor(on))
    power = layer._apply_weight(driven, pairs["weight"], always_on)
    one_to_one = isinstance(layer, RRAMOneToOne)
    count = 2 * input_[0, 0].numel() if one_to_one else sum(map(layer._count, cells))
    return {"energy": power.sum() * (dt / input_.shape[1]), "memristors": count}


def _of_neurons(neuron: MemristiveNeuron, input_: Tensor) -> dict:
    input_ = input_.to(torch.promote_types(input_.dtype, torch.float32))
    if any(value.dim() > input_[0].dim() - 1 for value in neuron.draws.values()):
        raise ValueError("Expected neurons of one layer, but they vary between `instances`.")
    dynamics, coefficients = neuron._dynamics, neuron._coefficients(input_.dtype)
    circuit = dynamics.circuit_with(coefficients)
    rest = neuron.states(torch.zeros_like(input_[0]))
    each = balance(circuit, neuron.amperes(input_), neuron.dt, rest, dynamics.hold_memristors)
    mean = {name: part.sum() / input_.shape[1] for name, part in vars(each).items()}
    capacitance = torch.as_tensor(circuit.c_mem).detach().expand_as(input_[0]).sum()
    return {
        "energy": mean["memristor1"] + mean["memristor2"],
        "memristors": 2 * input_[0, 0].numel(),
        "capacitance": capacitance.item() / input_.shape[1],
        "balance": Balance(**mean),
    }


def _powers(circuit: MIFCircuit, state: State, i_in: Tensor) -> dict[str, Tensor]:
    """Powers (W) by the names that :class:`Balance` gives to their integrals."""
    charging = circuit.c_mem * circuit.membrane(state, i_in)["v"].rate(state["v"])
    powers: dict[str, Tensor] = {}
    leaving: Value = 0.0
    for k, branch in enumerate(circuit.branches()[:2], start=1):
        across = state["v"] - branch.source
        assert not isinstance(branch.device, Resistor)  # a load is the third
        current = branch.device.current(state[branch.state], across)
        powers[f"source{k}"] = -branch.source * current
        powers[f"memristor{k}"] = across * current
        leaving = leaving + current
    # What reaches the membrane, behind a filter too, is what charges it and what leaves it again.
    return powers | {"input": state["v"] * (charging + leaving)}


def _simpson(
    values: Tensor,  # shape: (SAMPLES + 1, ...)
) -> Tensor:  # shape: (...)
    """Mean of a function from its values at equal distances."""
    ends, odd, even = values[0] + values[-1], values[1:-1:2].sum(0), values[2:-1:2].sum(0)
    return (ends + 4 * odd + 2 * even) / (3 * (len(values) - 1))


def _si(value: float, unit: str) -> str:
    """``value`` to three digits, with an SI prefix.

    >>> _si(1.2345e-8, "J"), _si(0.9996, "V"), _si(0.0, "J")
    ('12.3 nJ', '1.00 V', '0.00 J')
    """
    mantissa, exponent = f"{value:.2e}".split("e")
    thousands, shift = divmod(int(exponent), 3)
    place = PREFIXES.index(" ") + thousands
    if not 0 <= place < len(PREFIXES):
        return f"{value:.3g} {unit}"
    return f"{float(mantissa) * 10**shift:.{2 - shift}f} {PREFIXES[place].strip()}{unit}"


def _area(area: float) -> str:
    square_micrometres = area * 1e12
    if square_micrometres < 1e4:
        return f"{square_micrometres:.3g} µm²"
    return f"{square_micrometres * 1e-6:.3g} mm²"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
