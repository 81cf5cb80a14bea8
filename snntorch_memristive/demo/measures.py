"""What the layers of a trained network do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .network import Net
from .training import TEST_BATCH, membrane_loss


class Layer(NamedTuple):
    """How much of a layer is alive."""

    spikes: float
    """Spikes per neuron and image, by their height: a half spike counts one half."""
    silent: float
    """Fraction of the neurons that send nothing for any image."""
    gradient: float
    """Largest gradient of a weight, for one batch."""

    @property
    def is_dead(self) -> bool:
        """True if nothing comes through: the layers before it cannot learn."""
        return self.spikes == 0 or self.gradient == 0


def measure_layers(
    net: Net,
    images: Tensor,  # shape: (n, 1, height, width)
    labels: Tensor,  # shape: (n,)
    device: str,
) -> list[Layer]:
    """Activity of every layer over all ``images``, and its gradient for the first of them."""
    net.eval()
    sent = [torch.zeros(layer.out_features) for layer in net.layers]
    with torch.no_grad():
        for batch in images.split(TEST_BATCH):
            for total, steps in zip(sent, record(net, batch.to(device)), strict=True):
                total += sum(spk.sum(0).cpu() for spk, _ in steps)
    gradients = _largest_gradients(net, images[:TEST_BATCH].to(device), labels[:TEST_BATCH])
    return [
        Layer(float(total.mean()) / len(images), float((total == 0).float().mean()), gradient)
        for total, gradient in zip(sent, gradients, strict=True)
    ]


def record(net: Net, images: Tensor) -> list[list[tuple[Tensor, Tensor]]]:
    """``spk, mem`` of every layer at every time step, as the neurons returned them."""
    steps: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {n: [] for n in net.neurons}
    with _listening(net, lambda neuron, _, output: steps[neuron].append(output)):
        net(images)
    return list(steps.values())


@contextmanager
def _listening(net: Net, hook: Callable[..., Any]) -> Iterator[None]:
    handles = [neuron.register_forward_hook(hook) for neuron in net.neurons]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _largest_gradients(net: Net, images: Tensor, labels: Tensor) -> list[float]:
    net.zero_grad()
    _, mem_rec = net(images)
    membrane_loss(mem_rec, labels.to(mem_rec.device)).backward()
    gradients = [float(layer.weight.grad.abs().max()) for layer in net.layers]
    net.zero_grad()
    return gradients
