"""A network that is the same whatever its layers and neurons are made of."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from ..crossbar import RRAMLinear
from ..devices import RRAM
from ..neurons import MIF

BETA = 0.5
"""Decay of the membranes per step, in both networks."""


class Net(nn.Module):
    """Fully connected spiking classifier: layer, neuron, layer, neuron, ...

    Args:
        sizes: number of inputs, of the neurons of every hidden layer, and of classes.
        make_layer: makes the layer of given numbers of inputs and outputs.
        make_neuron: makes the neurons of one layer.
        num_steps: time steps for which an image is shown.
        dropout: share of the hidden spikes that training leaves out at every step.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        make_layer: Callable[[int, int], nn.Module],
        make_neuron: Callable[[], nn.Module],
        num_steps: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.num_steps = num_steps
        # Of whatever class the caller makes.
        self.layers: Any = nn.ModuleList(make_layer(*size) for size in pairwise(sizes))
        self.neurons: Any = nn.ModuleList(make_neuron() for _ in sizes[1:])
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        images: Tensor,  # shape: (batch, 1, height, width)
    ) -> tuple[Tensor, Tensor]:  # shapes: (time, batch, classes)
        """``spk`` and ``mem`` of the last layer at every time step."""
        mems = [neuron.reset_mem() for neuron in self.neurons]
        spk_rec, mem_rec = [], []
        for _ in range(self.num_steps):
            spk = images.flatten(1)
            for k, (layer, neuron) in enumerate(zip(self.layers, self.neurons, strict=True)):
                inputs = self.dropout(spk) if k > 0 else spk
                spk, mems[k] = neuron(layer(inputs), mems[k])
            spk_rec.append(spk)
            mem_rec.append(mems[-1])
        return torch.stack(spk_rec), torch.stack(mem_rec)


def memristive(sizes: Sequence[int], num_steps: int, dropout: float, levels: int) -> Net:
    """Crossbars of cells with ``levels`` conductance levels, and memristive neurons.

    The neurons use the "exponential" solver: for an input that is held, as an image is here, it
    errs by about 0.1 % of the voltage range, as the default does, in less than half of the time.
    """
    rram = RRAM(levels=levels)
    return Net(
        sizes,
        make_layer=lambda inputs, outputs: RRAMLinear(inputs, outputs, rram=rram),
        make_neuron=lambda: MIF(BETA, solver="exponential"),
        num_steps=num_steps,
        dropout=dropout,
    )


def digital(sizes: Sequence[int], num_steps: int, dropout: float) -> Net:
    """The network of snnTorch's tutorials, with membranes that decay as the memristive ones."""
    return Net(
        sizes,
        make_layer=nn.Linear,
        make_neuron=lambda: snn.Leaky(BETA),
        num_steps=num_steps,
        dropout=dropout,
    )
