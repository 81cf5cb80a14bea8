"""What a neuron sends to the next layer, as a function of its membrane.

Each takes ``u``, the membrane relative to threshold (0 at rest, 1 at threshold, any shape),
and returns the spike before ``graded_spikes_factor``.
"""

from collections.abc import Callable

from torch import Tensor

TURN_ON = 0.02
"""Where the selector begins to conduct, as a fraction of threshold.

Low on purpose: an exact gradient is exactly zero through a neuron that sends nothing, and a
selector that opens near threshold leaves deep layers, and the wrong half of an output layer,
silent at default initialisation. Above zero, so that rest is exactly silent.
"""


def rectified(
    u: Tensor,  # shape: (*neurons)
) -> Tensor:  # shape: (*neurons), in [0, 1]
    """The membrane seen through a rectifying selector with a compliance.

    Exactly 0 up to :data:`TURN_ON`, straight from there to 1 at threshold, and 1 above. Its
    derivative is exact wherever there is one.

    >>> import torch
    >>> rectified(torch.tensor([-1.0, 0.0, 0.02, 0.51, 1.0, 7.0]))
    tensor([0.0000, 0.0000, 0.0000, 0.5000, 1.0000, 1.0000])
    """
    return ((u - TURN_ON) / (1 - TURN_ON)).clamp(0, 1)


def voltage(
    u: Tensor,  # shape: (*neurons)
) -> Tensor:  # shape: (*neurons)
    """The raw membrane voltage, as MEMprop (arXiv:2206.12992) passes it on; may be negative."""
    return u


def binary(
    u: Tensor,  # shape: (*neurons)
    spike_grad: Callable[[Tensor], Tensor],
) -> Tensor:  # shape: (*neurons), 0 or 1
    """1 above threshold, else 0, for losses that need exact spike times.

    A step has no derivative, so this is the one output whose gradient is a stand-in: that of
    ``spike_grad``, a function from :mod:`snntorch.surrogate`, called with ``u - 1``.
    """
    return spike_grad(u - 1)


SPIKES: dict[str, Callable[..., Tensor]] = {
    "rectified": rectified,
    "voltage": voltage,
    "binary": binary,
}
"""The outputs by the names that a neuron's ``spike=`` takes."""
