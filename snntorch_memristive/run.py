"""A feed-forward network through time, layer by layer."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .crossbar import Crossbar, RRAMConv2d, RRAMLinear
from .neurons import MemristiveNeuron

SPATIAL = {
    nn.Conv1d: 1,
    nn.Conv2d: 2,
    nn.Conv3d: 3,
    RRAMConv2d: 2,
    nn.MaxPool1d: 1,
    nn.MaxPool2d: 2,
    nn.MaxPool3d: 3,
    nn.AvgPool1d: 1,
    nn.AvgPool2d: 2,
    nn.AvgPool3d: 3,
    nn.AdaptiveAvgPool2d: 2,
    nn.AdaptiveMaxPool2d: 2,
}
"""Layers that treat every sample of a batch by itself, by how many dimensions a channel has."""

OF_ANY_SHAPE = (nn.Linear, RRAMLinear, nn.Flatten, nn.Identity, nn.ReLU)
"""Likewise, whatever the shape of a sample."""

Record = Tensor | tuple[Tensor, ...]


def run(
    net: nn.Sequential,
    input_: Tensor,  # shape: (time, batch, ...)
) -> Record:  # shapes: (time, batch, ...)
    """What ``net`` returns at every time step, stacked; faster than calling it step by step.

    A feed-forward network need not finish one step to begin the next. So each layer takes the
    whole sequence at once: a layer without state as one batch of all steps, or only once if its
    input is one and the same at all of them (``expand``), and a memristive neuron by its
    ``sequence``. Anything else (other neurons, BatchNorm, a crossbar with read noise, a
    module with hooks, a class of your own) is called step by step. The values, the gradients and
    the hidden states afterwards are those of the loop, except that layers which draw random
    numbers draw them in another order. For an image shown over 25 steps the loop reads::

        reset(net)
        spk_rec = torch.stack([net(image) for _ in range(25)])

        reset(net)
        spk_rec = run(net, image.expand(25, *image.shape))

    Args:
        net: an ``nn.Sequential``, of any depth, whose neurons have ``init_hidden=True``.
        input_: what the first layer gets, with time as the first dimension.

    Returns:
        The record of what ``net`` returns: of spikes, or, if its last neuron has
        ``output=True``, of spikes and of its states.

    Raises:
        TypeError: if ``net`` is no ``nn.Sequential``.
        ValueError: if ``input_`` has no time step, or a neuron that is not the last returns its
            states too; or as the layers do.
    """
    if not isinstance(net, nn.Sequential):
        raise TypeError(
            f"Expected an nn.Sequential, but got {type(net).__name__}. A network with a forward "
            "of its own is called step by step, or calls `sequence` of its neurons."
        )
    if input_.dim() == 0 or len(input_) == 0:
        raise ValueError(f"Expected `input_` of shape (time, ...), but got {tuple(input_.shape)}.")
    layers = list(_layers(net))
    if layers == [net] or len(set(layers)) < len(layers):  # one layer serves twice: order counts
        return _step_by_step(net, input_)
    record: Any = input_  # a tuple only behind the last layer
    for layer in layers:
        if isinstance(record, tuple):
            raise ValueError(
                f"Expected one tensor for {type(layer).__name__}, but the neuron before it returns "
                f"{len(record)}: make it with `init_hidden=True`, and without `output`."
            )
        record = _through(layer, record)
    return record


def _layers(net: nn.Module) -> Iterator[nn.Module]:
    """``net`` in parts that are called one after the other, or as it is."""
    is_chain = type(net).forward is nn.Sequential.forward and not _has_hooks(net)
    if isinstance(net, nn.Sequential) and is_chain:
        for layer in net:
            yield from _layers(layer)
    else:
        yield net


def _through(layer: nn.Module, record: Tensor) -> Record:
    if isinstance(layer, MemristiveNeuron) and layer.init_hidden and not _has_hooks(layer):
        spk, *states = layer.sequence(record)
        return (spk, *states) if layer.output else spk
    if _treats_samples_alone(layer, record.dim() - 2):
        if record.stride(0) == 0:  # one image, shown all the time
            output = layer(record[0])
            return output.expand(len(record), *output.shape)
        return layer(record.flatten(0, 1)).unflatten(0, record.shape[:2])
    return _step_by_step(layer, record)


def _step_by_step(net: nn.Module, record: Tensor) -> Record:
    steps = [net(current) for current in record]
    if isinstance(steps[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))
    return torch.stack(steps)


def _treats_samples_alone(layer: nn.Module, sample_dims: int) -> bool:
    if _has_hooks(layer) or sample_dims < 1:
        return False
    if isinstance(layer, Crossbar) and (layer.rram.has_read_noise or layer.array.bandwidth):
        return False  # every step has noise of its own
    if type(layer) is nn.Flatten and layer.start_dim < 1:
        return False
    return type(layer) in OF_ANY_SHAPE or SPATIAL.get(type(layer)) == sample_dims - 1


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
