"""Driver gains from data."""

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .neurons import MemristiveNeuron
from .reset import reset

GAIN_RANGE = (1e-3, 1e3)
ROUNDS = 12


@torch.no_grad()
def calibrate(
    net: nn.Module, batch: Any, num_steps: int | None = None, target: float = 0.1
) -> dict[str, float]:
    """Set each layer's driver gain so that its mean spike reaches ``target``.

    A layer that sends nothing passes no gradient, and one that is saturated hardly any. The
    layers are set one after the other, in the order in which they first run, each by bisection
    of its gain between 1e-3 and 1e3; one that gets nowhere near the target keeps the gain that
    it had. Layers that send their membrane (``spike="voltage"``) never fall silent and are left
    alone. The hidden states are reset before and after; everything else, the statistics of a
    BatchNorm say, is left as it was.

    Args:
        net: network with memristive neurons, which it calls step by step (not by
            ``sequence``); any with a forward that takes ``batch``.
        batch: representative input.
        num_steps: calls of ``net(batch)`` that make one sequence; leave it out if one call of
            ``net`` runs the whole sequence by itself.
        target: mean over time, batch and neurons of ``spk / graded_spikes_factor`` to reach, in
            (0, 1).

    Returns:
        The activity that each of these layers has now, by its name in ``net``.

    Warns:
        UserWarning: if a layer could not be brought near the target.

    Raises:
        ValueError: if ``target`` is not in (0, 1), or no memristive neuron that sends spikes runs
            in ``net``. The gains are then as they were.
    """
    if not 0 < target < 1:
        raise ValueError(f"Expected `target` between 0 and 1, but got {target}.")
    names = {module: name for name, module in net.named_modules()}
    gains = [m.gain for m in net.modules() if isinstance(m, MemristiveNeuron)]
    others = [b for b in net.buffers() if not any(b is gain for gain in gains)]
    kept, before = ([buffer.clone() for buffer in buffers] for buffers in (others, gains))
    try:
        order = list(_activity(net, batch, num_steps))
        if not order:
            raise ValueError(
                "Expected a network in which memristive neurons send spikes, but found none."
            )
        brought = {n: _set_gain(net, n, batch, num_steps, target) for n in order}
        reached = _activity(net, batch, num_steps)
    except BaseException:
        _restore(gains, before)
        raise
    finally:
        _restore(others, kept)
    _report_missed(brought, target, names)
    return {names[neuron]: reached[neuron] for neuron in order}


def _restore(buffers: list[Tensor], values: list[Tensor]) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)


def _report_missed(
    brought: dict[MemristiveNeuron, float], target: float, names: dict[nn.Module, str]
) -> None:
    for neuron, activity in brought.items():
        if _is_missed(activity, target):
            warnings.warn(
                f"The mean spike of {names[neuron]!r} could only be brought to {activity:.3g}, "
                f"not to {target:g}: its gain was left as it was.",
                stacklevel=4,  # the caller of `calibrate`, behind torch.no_grad's wrapper
            )


def _is_missed(activity: float, target: float) -> bool:
    return abs(activity - target) > target / 2


def _set_gain(
    net: nn.Module, neuron: MemristiveNeuron, batch: Any, num_steps: int | None, target: float
) -> float:
    """The activity at the gain that brings it nearest to ``target``, which is kept if near."""
    before = neuron.gain.clone()
    low, high = (math.log(gain) for gain in GAIN_RANGE)
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        neuron.gain.fill_(math.exp(middle))
        activity = _activity(net, batch, num_steps)[neuron]
        if activity < target:
            low = middle
        else:
            high = middle
    if _is_missed(activity, target):
        neuron.gain.copy_(before)
    return activity


def _activity(net: nn.Module, batch: Any, num_steps: int | None) -> dict[MemristiveNeuron, float]:
    """Mean spike of every neuron that sends spikes, in order of its first step."""
    means: dict[MemristiveNeuron, list[Tensor]] = {}

    def listen(neuron: MemristiveNeuron, _: Any, output: Any) -> None:
        spk = output[0] if isinstance(output, tuple) else output
        means.setdefault(neuron, []).append((spk / neuron.graded_spikes_factor).mean())

    neurons = [m for m in net.modules() if isinstance(m, MemristiveNeuron) and m.spike != "voltage"]
    hooks = [neuron.register_forward_hook(listen) for neuron in neurons]
    try:
        reset(net)
        for _ in range(num_steps or 1):
            net(batch)
    finally:
        for hook in hooks:
            hook.remove()
        reset(net)
    return {neuron: float(torch.stack(steps).mean()) for neuron, steps in means.items()}
