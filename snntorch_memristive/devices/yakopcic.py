"""Yakopcic's generalised memristor."""

import math
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from ..checks import check_not_negative, check_positive
from ..units import Ampere, Dimensionless, PerSecond, PerVolt, Volt
from .device import Device


@dataclass(frozen=True)
class Yakopcic(Device):
    r"""Generalised memristor: current of a tunnel junction, motion beyond two thresholds.

    .. math::
        i &= \begin{cases} a_1\, x \sinh(b v) & v \ge 0 \\
                           a_2\, x \sinh(b v) & v < 0 \end{cases} \\
        \dot x &= \begin{cases}
            a_p\,(e^{v} - e^{v_p})\, f_p(x)   & v > v_p \\
            -a_n\,(e^{-v} - e^{v_n})\, f_n(x) & v < -v_n \\
            0 & \text{otherwise} \end{cases}

    with :math:`v` in volts in the exponentials. The motion is free up to a point and dies out
    from there to the end, where it is 0 (equations for :math:`x \ge x_p` and
    :math:`x \le 1 - x_n`; otherwise :math:`f = 1`):

    .. math::
        f_p(x) = e^{-\alpha_p (x - x_p)}\, \frac{1 - x}{1 - x_p}, \qquad
        f_n(x) = e^{\alpha_n (x + x_n - 1)}\, \frac{x}{1 - x_n}

    It keeps its state between the thresholds. At ``x = 0`` it conducts nothing. The paper's
    :math:`\eta = \pm 1`, which way round it is mounted, is +1 here.

    Source: C. Yakopcic, T. M. Taha, G. Subramanyam, R. E. Pino and S. Rogers, "A memristor device
    model", IEEE Electron Device Letters 32 (2011), doi:10.1109/LED.2011.2163292, and C. Yakopcic
    et al., "Generalized memristive device SPICE model and its application in circuit design",
    IEEE Transactions on Computer-Aided Design 32 (2013), doi:10.1109/TCAD.2013.2252057; equations
    as in the first author's SPICE subcircuit of 2011 (GitHub knowm/memristor-models-4-all).

    Raises:
        ValueError: if an amplitude, ``b`` or a threshold is not above zero, ``x_p`` or ``x_n`` is
            not between 0 and 1, or ``alpha_p`` or ``alpha_n`` is below zero.
    """

    a1: Ampere
    """Amplitude of the current at a positive voltage."""
    a2: Ampere
    """Amplitude of the current at a negative voltage."""
    b: PerVolt
    """How fast the current grows with the voltage."""
    v_p: Volt
    """Positive threshold."""
    v_n: Volt
    """Negative threshold, its size."""
    a_p: PerSecond
    """How fast the state rises."""
    a_n: PerSecond
    """How fast the state falls."""
    x_p: Dimensionless
    """State above which rising is slowed down."""
    x_n: Dimensionless
    """Falling is slowed down below ``1 - x_n``."""
    alpha_p: Dimensionless
    """How steeply rising is slowed down."""
    alpha_n: Dimensionless
    """How steeply falling is slowed down."""

    def __post_init__(self) -> None:
        check_positive("A", a1=self.a1, a2=self.a2)
        check_positive("1/V", b=self.b)
        check_positive("V", v_p=self.v_p, v_n=self.v_n)
        check_positive("1/s", a_p=self.a_p, a_n=self.a_n)
        for name, value in (("x_p", self.x_p), ("x_n", self.x_n)):
            if isinstance(value, Real) and not 0 < value < 1:
                raise ValueError(f"Expected `{name}` above 0 and below 1, but got {value:g}.")
        check_not_negative(alpha_p=self.alpha_p, alpha_n=self.alpha_n)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        up = self.a_p * _excess(v, self.v_p) * _slowed(1 - x, 1 - self.x_p, self.alpha_p)
        down = self.a_n * _excess(-v, self.v_n) * _slowed(x, 1 - self.x_n, self.alpha_n)
        return up - down

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        current = x * torch.sinh(self.b * v)
        return torch.where(v < 0, self.a2 * current, self.a1 * current)


def _excess(v: Tensor, threshold: float | Tensor) -> Tensor:
    """``exp(v) - exp(threshold)``, 0 below the threshold."""
    rise = torch.expm1(torch.relu(v - threshold))
    scale = threshold.exp() if isinstance(threshold, Tensor) else math.exp(threshold)
    return scale * rise


def _slowed(left: Tensor, free: float | Tensor, alpha: float | Tensor) -> Tensor:
    """Factor on the motion: 1 while the way ``left`` to the end is at least ``free``, 0 there."""
    return torch.exp(-alpha * torch.relu(free - left)) * (1 - torch.relu(1 - left / free))


_AUTHORS_SPICE = (
    "the first author's SPICE subcircuit of 2011 (GitHub knowm/memristor-models-4-all 5f48b20)"
)
_UPM = "a simulator of the Technical University of Madrid (F. Garcia-Redondo, MemristorYakopcic)"
_UNREAD = "The papers' own tables were not open to us"

YAKOPCIC_OBLEA = Yakopcic(
    a1=0.17,
    a2=0.17,
    b=0.05,
    v_p=0.16,
    v_n=0.15,
    a_p=4000.0,
    a_n=4000.0,
    x_p=0.3,
    x_n=0.5,
    alpha_p=1.0,
    alpha_n=5.0,
    source="Fit to the silver chalcogenide device of A. S. Oblea et al., IJCNN 2010, under a "
    f"sine of 0.45 V, 100 Hz: {_AUTHORS_SPICE}, its first set; the same in GitHub thomastiotto/"
    f"Memristor-Models 08a84b8, experiments.py. {_UNREAD}",
)
"""Silver chalcogenide (Boise State), driven within 0.5 V."""

YAKOPCIC_JO = Yakopcic(
    a1=3.7e-7,
    a2=4.35e-7,
    b=0.7,
    v_p=1.5,
    v_n=0.5,
    a_p=0.005,
    a_n=0.08,
    x_p=0.2,
    x_n=0.5,
    alpha_p=1.2,
    alpha_n=3.0,
    source="Fit to a device of the University of Michigan, to our memory the Ag/Si one of S. H. "
    "Jo et al., Nano Letters 10 (2010), under sweeps of 5 s from -2 V to 4 V: GitHub thomastiotto/"
    f"Memristor-Models 64f9a41, PYTHON model/backend/experiments.py; the same in {_UPM}. {_UNREAD}",
)
"""Silver in silicon (University of Michigan), driven between -2 V and 4 V."""

YAKOPCIC_HP = Yakopcic(
    a1=2.3e-4,
    a2=3.8e-4,
    b=1.0,
    v_p=1.2,
    v_n=0.6,
    a_p=5.0,
    a_n=30.0,
    x_p=0.7,
    x_n=0.8,
    alpha_p=4.0,
    alpha_n=24.0,
    source=f"Fit to a titanium dioxide device of HP Labs: {_UPM}, its third set, read in one "
    f"place only. {_UNREAD}",
)
"""Titanium dioxide (HP Labs)."""
