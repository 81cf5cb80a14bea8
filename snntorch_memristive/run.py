"""A feed-forward network through time, layer by layer."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .crossbar import Crossbar
from .neurons import MemristiveNeuron

SAMPLE_BY_SAMPLE = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Flatten,
    nn.Identity,
    nn.ReLU,
)
"""Layers that treat every sample by itself, so that all time steps can be one large batch."""

Record = Tensor | tuple[Tensor, Tensor]


def run(
    net: nn.Sequential,
    input_: Tensor,  # shape: (time, batch, ...)
) -> Record:  # shapes: (time, batch, ...)
    """What ``net`` returns at every time step, stacked; faster than calling it step by step.

    A feed-forward network need not finish one step to begin the next. So each layer takes the
    whole sequence at once: a layer without state as one batch of all steps, a memristive neuron
    by its ``sequence``. Anything else (other neurons, BatchNorm, a crossbar with read noise, a
    module with hooks) is called step by step. The values, the gradients and the hidden states
    afterwards are those of the loop, which for an image shown over 25 steps reads::

        reset(net)
        spk_rec = torch.stack([net(image) for _ in range(25)])

        reset(net)
        spk_rec = run(net, image.expand(25, *image.shape))

    Args:
        net: an ``nn.Sequential``, of any depth, whose neurons have ``init_hidden=True``.
        input_: what the first layer gets, with time as the first dimension.

    Returns:
        The record of what ``net`` returns: of spikes, or, if its last neuron has
        ``output=True``, of spikes and of membranes.

    Raises:
        TypeError: if ``net`` is no ``nn.Sequential``.
        ValueError: if ``input_`` has no time step, or as the layers do.
    """
    if not isinstance(net, nn.Sequential):
        raise TypeError(
            f"Expected an nn.Sequential, but got {type(net).__name__}. A network with a forward "
            "of its own is called step by step, or calls `sequence` of its neurons."
        )
    if input_.dim() == 0 or len(input_) == 0:
        raise ValueError(f"Expected `input_` of shape (time, ...), but got {tuple(input_.shape)}.")
    record: Record = input_
    for layer in _layers(net):
        record = _through(layer, record)
    return record


def _layers(net: nn.Sequential) -> Iterator[nn.Module]:
    for layer in net:
        if isinstance(layer, nn.Sequential) and not _has_hooks(layer):
            yield from _layers(layer)
        else:
            yield layer


def _through(layer: nn.Module, record: Tensor) -> Record:
    if isinstance(layer, MemristiveNeuron) and layer.init_hidden and not _has_hooks(layer):
        spk, mem = layer.sequence(record)
        return (spk, mem) if layer.output else spk
    if _treats_samples_alone(layer) and record.dim() > 1:
        return layer(record.flatten(0, 1)).unflatten(0, record.shape[:2])
    steps = [layer(current) for current in record]
    if isinstance(steps[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))
    return torch.stack(steps)


def _treats_samples_alone(layer: nn.Module) -> bool:
    if not isinstance(layer, SAMPLE_BY_SAMPLE) or _has_hooks(layer):
        return False
    if isinstance(layer, nn.Flatten):
        return layer.start_dim > 0
    return not (isinstance(layer, Crossbar) and layer.rram.read_noise > 0)


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
