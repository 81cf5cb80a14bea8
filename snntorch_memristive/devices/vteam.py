"""The voltage threshold adaptive memristor."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_greater, check_positive, check_whole
from ..units import Metre, MetrePerSecond, Ohm, Volt
from .device import Device
from .windows import HARD_STOP, Window


@dataclass(frozen=True)
class VTEAM(Device):
    r"""Voltage threshold adaptive memristor: it moves only beyond two thresholds.

    The paper's state is a width :math:`w`, 0 at ``r_on`` and :math:`D` at ``r_off``; here
    :math:`x = 1 - w / D`, so that 1 conducts. As published, a positive voltage turns it off:

    .. math::
        \dot w &= \begin{cases}
            k_{off}\,(v / v_{off} - 1)^{\alpha_{off}} f(w) & v > v_{off} > 0 \\
            k_{on}\,(v / v_{on} - 1)^{\alpha_{on}} f(w)    & v < v_{on} < 0 \\
            0 & \text{otherwise} \end{cases} \\
        v &= \left(r_{on} + (r_{off} - r_{on})\, w / D\right) i

    with a window :math:`f`. It keeps its state between the thresholds. (The paper also names a
    resistance exponential in :math:`w`, and lets the exponents be any number: whole ones are what
    kernels can raise to.)

    Source: S. Kvatinsky, M. Ramadan, E. G. Friedman and A. Kolodny, "VTEAM: a general model for
    voltage-controlled memristors", IEEE Transactions on Circuits and Systems II 62 (2015),
    doi:10.1109/TCSII.2015.2433536; equations as restated in D. Biolek et al., IEEE Access 9
    (2021), doi:10.1109/ACCESS.2021.3059241, equations 1 and 3.

    Raises:
        ValueError: if ``r_off <= r_on``, a resistance, ``thickness``, ``k_off`` or ``v_off`` is
            not above zero, ``k_on`` or ``v_on`` is not below zero, or an exponent is not a whole
            number from 1 to 16.
    """

    r_on: Ohm
    """Resistance at ``w = 0``."""
    r_off: Ohm
    """Resistance at ``w = D``."""
    v_on: Volt
    """Threshold, below zero, beyond which it turns on."""
    v_off: Volt
    """Threshold, above zero, beyond which it turns off."""
    k_on: MetrePerSecond
    """Speed of ``w``, below zero, at twice the threshold ``v_on``."""
    k_off: MetrePerSecond
    """Speed of ``w`` at twice the threshold ``v_off``."""
    alpha_on: int
    """Exponent of the excess over ``v_on``."""
    alpha_off: int
    """Exponent of the excess over ``v_off``."""
    thickness: Metre
    """Greatest width ``D``."""
    window: Window = HARD_STOP
    """What keeps the width between its ends."""

    def __post_init__(self) -> None:
        check_positive("Ω", r_on=self.r_on, r_off=self.r_off)
        check_greater("Ω", r_off=self.r_off, r_on=self.r_on)
        check_positive("V", **{"v_off": self.v_off, "-v_on": -self.v_on})
        check_positive("m/s", **{"k_off": self.k_off, "-k_on": -self.k_on})
        check_whole(1, 16, alpha_on=self.alpha_on, alpha_off=self.alpha_off)
        check_positive("m", thickness=self.thickness)

    def rate(self, x: Tensor, v: Tensor) -> Tensor:
        """dx/dt (1/s) of state ``x`` in [0, 1] under ``v`` (V); shapes broadcast."""
        off = self.k_off / self.thickness * torch.relu(v / self.v_off - 1) ** self.alpha_off
        on = self.k_on / self.thickness * torch.relu(v / self.v_on - 1) ** self.alpha_on
        return self.window.apply(-(off + on), x)

    def current(self, x: Tensor, v: Tensor) -> Tensor:
        """Current (A) through the device in state ``x`` under ``v`` (V); shapes broadcast."""
        return v / (self.r_off + (self.r_on - self.r_off) * x)


VTEAM_FAST = VTEAM(
    r_on=50.0,
    r_off=1e3,
    v_on=-0.2,
    v_off=0.02,
    k_on=-10.0,
    k_off=5e-4,
    alpha_on=3,
    alpha_off=1,
    thickness=3e-9,
    source="GitHub coreylammie/MemTorch 1074db1, defaults of memtorch/bh/memristor/VTEAM.py, which "
    "cites the authors' models page. Read there; the paper's own tables were not open to us",
)
"""An example of full switching within nanoseconds at 1 V."""

VTEAM_MAGIC = VTEAM(
    r_on=1e3,
    r_off=300e3,
    v_on=-1.5,
    v_off=0.3,
    k_on=-216.2,
    k_off=0.091,
    alpha_on=4,
    alpha_off=4,
    thickness=3e-9,
    source="Device of the authors' memristor-aided logic (MAGIC), as in two public ports that "
    "agree on all nine values: the defaults of an ngspice model MEMR2 and of a Verilog-A package "
    "for MAGIC crossbars. The paper was not open to us. The ports add a window; here there is none",
)
"""A device of memristor-aided logic, on to off ratio 300."""
