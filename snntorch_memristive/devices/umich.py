"""The volatile tungsten oxide memristor of the University of Michigan."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_positive
from ..units import Ampere, PerSecond, PerVolt, Second
from .device import Device
from .windows import HARD_STOP


@dataclass(frozen=True)
class UMich(Device):
    r"""Volatile memristor: a conducting area that the voltage widens and diffusion takes back.

    The area conducts by tunnelling, the rest through a Schottky barrier, which rectifies:

    .. math::
        i &= (1 - x)\, \alpha\, (1 - e^{-\beta v}) + x\, \gamma \sinh(\delta v) \\
        \dot x &= \lambda \sinh(\eta v) - x / \tau

    and ``x`` is stopped at 0 and 1. At 0 V it forgets with the time constant :math:`\tau`.

    Source: T. Chang, S.-H. Jo, K.-H. Kim, P. Sheridan, S. Gaba and W. Lu, "Synaptic behaviors and
    modeling of a metal oxide memristive device", Applied Physics A 102 (2011),
    doi:10.1007/s00339-011-6296-1, and, for the forgetting, T. Chang, S.-H. Jo and W. Lu,
    "Short-term memory to long-term memory transition in a nanoscale memristor", ACS Nano 5
    (2011), doi:10.1021/nn202983n. Neither was open to us beyond its beginning: the equations are
    those of C. Yakopcic's SPICE collection (GitHub knowm/memristor-models-4-all,
    memristor_umich.sub), which stops ``x`` at both ends too.

    Raises:
        ValueError: if a value is not above zero.
    """

    alpha: Ampere
    """Saturation current of the Schottky barrier."""
    beta: PerVolt
    """Exponent of the Schottky barrier."""
    gamma: Ampere
    """Amplitude of the tunnelling current."""
    delta: PerVolt
    """Exponent of the tunnelling current."""
    lam: PerSecond
    """Amplitude of the drift."""
    eta: PerVolt
    """Exponent of the drift."""
    tau: Second
    """Time constant of forgetting."""

    def __post_init__(self) -> None:
        check_positive("A", alpha=self.alpha, gamma=self.gamma)
        check_positive("1/V", beta=self.beta, delta=self.delta, eta=self.eta)
        check_positive("1/s", lam=self.lam)
        check_positive("s", tau=self.tau)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        return HARD_STOP.apply(self.lam * torch.sinh(self.eta * v) - x / self.tau, x)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        barrier = -self.alpha * torch.expm1(-self.beta * v)
        return (1 - x) * barrier + x * self.gamma * torch.sinh(self.delta * v)


UMICH_WOX = UMich(
    alpha=0.5e-6,
    beta=0.5,
    gamma=4e-6,
    delta=2.0,
    lam=4.5 * 0.004,
    eta=4.0,
    tau=10 / 4.5,
    source="C. Yakopcic's SPICE collection (GitHub knowm/memristor-models-4-all 19a276e, "
    "memristor_umich.sub): dx/dt = 4.5 (0.004 sinh(4 v) - x / 10), with its switch for the "
    "forgetting on (the file has it off). Seconds are SPICE's. Read in one place only; the "
    "papers' own tables were not open to us",
)
"""Tungsten oxide, forgetting within seconds."""
