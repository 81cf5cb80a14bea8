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
    v: Tensor = field(repr=False)
    """Membrane voltages (V) of the package at the end of every time step, ``(time, *neurons)``."""
    spk: Tensor = field(repr=False)
    """What the package's neurons sent, ``(time, *neurons)``."""
    simulated: Simulated = field(repr=False)
    """The same of ngspice."""

    @property
    def v_range(self) -> float:
        """Between the lowest and the highest voltage of the layer (V)."""
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

    def classes(self, by: str = "spk") -> tuple[int, int]:
        """Predicted class in the package and in ngspice.

        The output whose ``by`` ("spk", what it sent, or "v", its membrane) is largest, summed over
        all steps.
        """
        last = self.layers[-1]
        both = (getattr(side, by).flatten(1).sum(0) for side in (last, last.simulated))
        own, other = (int(total.argmax()) for total in both)
        return own, other

    def __str__(self) -> str:
        head = f"{'layer':<12}{'neurons':>8}{'range':>9}{'max dv':>20}{'rms dv':>20}"
        lines = [f"{head}{'max dspk':>10}{'agreement':>11}"]
        for layer in self.layers:
            span = layer.v_range or float("nan")
            maximum, rms = (f"{1e3 * v:.3f} mV {v / span:8.3%}" for v in (layer.v_max, layer.v_rms))
            sizes = f"{layer.name:<12}{layer.v[0].numel():>8}{1e3 * span:>6.0f} mV"
            sent = f"{layer.spk_max:>10.4f}{layer.agreement:>11.2%}"
            lines.append(f"{sizes}{maximum:>20}{rms:>20}{sent}")
        for by, name in (("spk", "spikes"), ("v", "membranes")):
            own, other = self.classes(by)
            lines.append(f"class by {name}: {own}, in ngspice {other}")
        return "\n".join(lines)


def compare(
    net: nn.Module, input_: Tensor, *, timeout: float = 3600.0, **settings: Any
) -> Comparison:
    """What ``net`` and ngspice make of the same sample.

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
        )
    )


def _layer(stage: Stage, numbers: tuple[int, ...], simulated: Simulated) -> LayerComparison:
    def part(values: Tensor) -> Tensor:
        return values.flatten(1)[:, list(numbers)].view_as(simulated.v)

    v = stage.module.volts(stage.mem)
    return LayerComparison(stage.name, part(v), part(stage.output), simulated)
