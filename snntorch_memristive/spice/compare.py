"""The package and ngspice side by side."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .network import build
from .simulate import Simulated, simulate
from .watch import Stage, watch


@dataclass(frozen=True)
class LayerComparison:
    """A layer of neurons on both sides."""

    name: str
    """Of the layer in the network."""
    numbers: tuple[int, ...] = field(repr=False)
    """Which neurons of the layer are compared, rising."""
    v: Tensor = field(repr=False)
    """Membrane voltages (V) of the package at the end of every time step, ``(time, *neurons)``."""
    spk: Tensor = field(repr=False)
    """What the package's neurons sent, ``(time, *neurons)``."""
    simulated: Simulated = field(repr=False)
    """The same of ngspice."""

    @property
    def v_range(self) -> float:
        """Between the lowest and the highest voltage of these neurons (V)."""
        return float(self.v.max() - self.v.min())

    @property
    def v_max(self) -> float:
        """Largest difference of a membrane voltage (V)."""
        return float((self.v - self.simulated.v).abs().max())

    @property
    def v_rms(self) -> float:
        """Root mean square of these differences (V)."""
        return float((self.v - self.simulated.v).square().mean().sqrt())

    @property
    def spk_max(self) -> float:
        """Largest difference of what was sent."""
        return float((self.spk - self.simulated.spk).abs().max())

    @property
    def agreement(self) -> float:
        """Share of steps and neurons in which both sides sent something, or both nothing."""
        return float(((self.spk > 0) == (self.simulated.spk > 0)).double().mean())


@dataclass(frozen=True)
class Comparison:
    """A network on both sides, layer by layer. ``print`` it for a table."""

    layers: tuple[LayerComparison, ...]
    output: str
    """Name of the network's last layer."""

    def classes(self, by: str = "spk") -> tuple[int, int]:
        """Predicted class in the package and in ngspice.

        The number of the output neuron whose ``by`` ("spk", what it sent, or "v", its membrane) is
        largest, summed over all steps.

        Raises:
            ValueError: if the output layer is not in the circuit.
        """
        last = self.layers[-1]
        if last.name != self.output:
            raise ValueError(f"Expected the output layer {self.output!r} in the circuit.")
        both = (getattr(side, by).flatten(1).sum(0) for side in (last, last.simulated))
        own, other = (last.numbers[int(total.argmax())] for total in both)
        return own, other

    def __str__(self) -> str:
        head = f"{'layer':<12}{'neurons':>8}{'range':>9}{'max dv':>20}{'rms dv':>20}"
        lines = [f"{head}{'max dspk':>10}{'agreement':>11}"]
        for layer in self.layers:
            span = layer.v_range or float("inf")  # of neurons that all stay at one voltage
            maximum, rms = (f"{1e3 * v:.3f} mV {v / span:8.3%}" for v in (layer.v_max, layer.v_rms))
            sizes = f"{layer.name:<12}{layer.v[0].numel():>8}{1e3 * layer.v_range:>6.0f} mV"
            sent = f"{layer.spk_max:>10.4f}{layer.agreement:>11.2%}"
            lines.append(f"{sizes}{maximum:>20}{rms:>20}{sent}")
        is_whole = self.layers[-1].name == self.output
        for by, name in (("spk", "spikes"), ("v", "membranes")) if is_whole else ():
            own, other = self.classes(by)
            lines.append(f"class by {name}: {own}, in ngspice {other}")
        return "\n".join(lines)


def compare(
    net: nn.Module, input_: Tensor, *, timeout: float = 3600.0, **settings: Any
) -> Comparison:
    """What ``net`` and ngspice make of the same sample.

    What they differ by is the error of the neurons' solver and, free-running, the coupling. Noise
    of reads, which the package draws and the circuit does not have, and wires that the package
    takes in closed form (``Array(exact=False)``) would come on top.

    Args:
        net, input_: as in :func:`~snntorch_memristive.spice.netlist`.
        timeout: s, after which ngspice is stopped.
        **settings: ``coupling``, ``neurons``, ``max_step`` or ``reltol`` of the netlist.

    Raises:
        ValueError: as :func:`~snntorch_memristive.spice.netlist`.
        NgspiceError: as :func:`~snntorch_memristive.spice.simulate`.
    """
    stages = watch(net, input_)
    circuit = build(stages, **settings)
    simulated = simulate(circuit, timeout=timeout)
    by_name = {stage.name: stage for stage in stages}
    return Comparison(
        tuple(
            _layer(by_name[probe.name], probe.numbers, simulated[probe.name])
            for probe in circuit.probes
        ),
        stages[-1].name,
    )


def _layer(stage: Stage, numbers: tuple[int, ...], simulated: Simulated) -> LayerComparison:
    def part(values: Tensor) -> Tensor:
        return values.flatten(1)[:, list(numbers)].view_as(simulated.v)

    v = stage.module.volts(stage.mem)
    return LayerComparison(stage.name, numbers, part(v), part(stage.output), simulated)
