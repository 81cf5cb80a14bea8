"""What a network is worth on the chips that may be made of it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .crossbar import Crossbar
from .neurons import MemristiveNeuron
from .reset import reset


@dataclass(frozen=True)
class Chips:
    """A figure of merit, chip by chip."""

    values: Tensor
    """What was measured on every chip, in the order of drawing. Shape: (chips)."""

    @property
    def mean(self) -> float:
        """Average over the chips."""
        return float(self.values.mean())

    @property
    def spread(self) -> float:
        """Standard deviation between chips (NaN for one chip)."""
        return float(self.values.std())

    @property
    def worst(self) -> float:
        """The lowest value."""
        return float(self.values.min())

    def __str__(self) -> str:
        return (
            f"{self.mean:.4g} +- {self.spread:.2g}, at worst {self.worst:.4g} "
            f"({len(self.values)} chips)"
        )


def evaluate_chips(
    net: nn.Module,
    measure: Callable[[nn.Module], float],
    chips: int = 20,
    *,
    seconds: float = 0.0,
    faults: float = 0.0,
    generator: torch.Generator | None = None,
) -> Chips:
    """``measure`` a copy of ``net`` on ``chips`` chips, all its crossbars and neurons drawn anew.

    Neurons differ from chip to chip if they have a spread (:meth:`MIF.vary
    <snntorch_memristive.MIF.vary>`).

    Chip after chip, on the kernels, from rest, without gradients and in the mode that ``net`` is
    in; ``net`` itself stays on its chip.

    Args:
        net: a network with crossbars, or with neurons that have a spread.
        measure: from a network to a number, more of which is better: an accuracy, say.
        chips: how many to draw.
        seconds: how long the chips drift before they are measured.
        faults: share of the cells that fail before they are measured.
        generator: source of the draws, so that a seed names the chips. What neurons draw from
            cycle to cycle comes from torch's default generator.

    Raises:
        ValueError: if ``net`` has neither or ``chips`` is not above zero.
    """
    if chips < 1:
        raise ValueError(f"Expected `chips` to be at least 1, but got {chips}.")
    twin = copy.deepcopy(net)
    crossbars = [module for module in twin.modules() if isinstance(module, Crossbar)]
    neurons = [module for module in twin.modules() if isinstance(module, MemristiveNeuron)]
    if not (crossbars or any(neuron.is_varied for neuron in neurons)):
        raise ValueError("Expected a `net` with crossbars or varied neurons, but it has neither.")
    values = []
    with torch.no_grad():
        for _ in range(chips):
            for crossbar in crossbars:
                crossbar.program(generator)
                if faults:
                    crossbar.fault(faults, generator=generator)
                crossbar.drift_to(seconds)
            for neuron in neurons:
                neuron.redraw(generator)
            reset(twin)
            values.append(float(measure(twin)))
    return Chips(torch.tensor(values, dtype=torch.float64))
